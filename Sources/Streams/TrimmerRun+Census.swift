import Primitives
import Redis
import Telemetry

/// Consumers of nodes that are gone. Each start under another name leaves one in each group, and
/// nobody else would ever remove it.
extension TrimmerRun {
    /// Between two searches, at most.
    static let longestCensusInterval = Duration.seconds(60)

    /// Removes the idle consumers of one group that have nothing pending, and answers with their
    /// names. One with entries pending stays: they would go with it.
    ///
    /// A script, because between a look and a removal of their own an entry could be delivered to
    /// a node that was only quiet: the removal would take it away, and for a sink nothing else
    /// brings it back. Before 7.2 Redis counts a consumer that found nothing to read as idle,
    /// so such a node is removed here as well; its next read makes it anew.
    private static let script = """
        local removed = {}
        for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
            local found = {}
            for index = 1, #consumer, 2 do found[consumer[index]] = consumer[index + 1] end
            if found.name ~= ARGV[2] and found.pending == 0 and found.idle > tonumber(ARGV[3]) then
                redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], found.name)
                removed[#removed + 1] = found.name
            end
        end
        return removed
        """

    /// Looks through this node's group and those of its sinks, and leaves this process's name for
    /// others that read for the group.
    func takeCensus() throws(RedisError) {
        guard MonotonicTime.now() >= nextCensus else { return }
        let maxIdle = trimmer.options.consumerMaxIdle
        nextCensus = .now() + min(TrimmerRun.longestCensusInterval, maxIdle)
        pipeline.removeAll()
        var places: [(key: String, group: String)] = []
        for group in [trimmer.options.group] + trimmer.options.expectedGroups {
            for key in trimmer.keys.names {
                pipeline.command(
                    "EVAL", TrimmerRun.script, "1", key, group, trimmer.options.node,
                    "\(maxIdle.wholeMilliseconds)")
                places.append((key, group))
            }
        }
        let reader = trimmer.keys.reader(trimmer.options.group)
        pipeline.command("GETSET", reader, conflict.process)
        pipeline.command("PEXPIRE", reader, "\(10 * maxIdle.wholeMilliseconds)")
        // One that could not be made yet must not stop others from trimming.
        let made = Set(partitions.flatMap { $0.groups.map(\.name) })
        for group in [trimmer.options.group] + trimmer.options.expectedGroups
        where made.contains(group) {
            GroupRegistry.addEntry(of: group, trimmer.keys, to: &pipeline)
        }
        for group in registry.outdated { pipeline.command("HDEL", trimmer.keys.registry, group) }
        try trimmer.redis.call(
            .streams, within: TrimmerRun.callLimit
        ) { session throws(RedisError) in
            for (index, reply) in try session.send(pipeline).enumerated() {
                guard index < places.count else {
                    let holder = reply.error == nil ? reply.string : nil
                    if index == places.count { conflict.found(reader: holder) }
                    continue
                }
                let place = places[index]
                if let error = reply.error { note(error, place.group) }
                for name in reply.elements.compactMap(\.string) {
                    trimmer.log.info("idle consumer removed") {
                        $0.add("stream", place.key)
                        $0.add("group", place.group)
                        $0.add("consumer", name)
                    }
                }
            }
        }
    }

    /// A group that is not there yet has no consumers; where scripts are not allowed, they stay.
    private func note(_ error: RedisError, _ group: String) {
        trimmer.log.debug("consumers of a group not seen") {
            $0.add("group", group)
            $0.add("error", error)
        }
    }
}
