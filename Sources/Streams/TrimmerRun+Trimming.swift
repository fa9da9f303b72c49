import EventCoding
import Primitives
import Redis
import Telemetry

/// Trimming: what every group has acknowledged goes; what is above a cap goes too, and loudly.
extension TrimmerRun {
    /// After a cut this share of the byte cap is used, so that not every second cuts again.
    private static let keptShare = 0.9

    func trim() throws(RedisError) {
        pipeline.removeAll()
        var places: [Int] = []
        let (wanted, done) = trimmer.state.withLock { ($0.exactTrimsWanted, $0.exactTrimsDone) }
        for (index, partition) in partitions.enumerated() {
            guard let end = acknowledgedEnd(of: index), let first = partition.stream.firstID,
                first < end
            else { continue }
            if wanted > done {
                pipeline.command("XTRIM", trimmer.keys.names[index], "MINID", "=", "\(end)")
                places.append(index)
                continue
            }
            pipeline.begin("XTRIM", argumentCount: 6)
            pipeline.add(trimmer.keys[index])
            pipeline.add(literal: "MINID")
            // Whole nodes only: taking entries out of a node costs more than it frees. The limit
            // that comes with it would let a busy stream grow.
            pipeline.add(literal: "~")
            pipeline.add(end)
            pipeline.add(literal: "LIMIT")
            pipeline.add(literal: "0")
            places.append(index)
        }
        for (_, count) in try trimmed(places) { trimmer.trimmed.add(count) }
        if wanted > done { trimmer.state.change { $0.exactTrimsDone = wanted } }
        try cutByAge()
        try cutByBytes()
    }

    /// Below it every group has acknowledged everything. Nil while this node's own group, that of
    /// one of its sinks, or one that was there a while ago or is in the registry is not there: it would
    /// then miss what goes.
    private func acknowledgedEnd(of index: Int) -> StreamEntryID? {
        guard !isSettling else { return nil }
        let partition = partitions[index]
        let expected =
            [trimmer.options.group] + trimmer.options.expectedGroups + groupsSeen[index].keys
            + registry.groups(of: index)
        let names = partition.groups.map(\.name)
        guard expected.allSatisfy(names.contains) else { return nil }
        var end: StreamEntryID?
        for (group, pending) in zip(partition.groups, partition.firstPending) {
            let own = pending ?? group.lastDelivered.next
            end = min(end ?? own, own)
        }
        return end
    }

    private func trimmed(_ places: [Int]) throws(RedisError) -> [(partition: Int, count: Int)] {
        guard !places.isEmpty else { return [] }
        var counts: [(partition: Int, count: Int)] = []
        try trimmer.redis.call(
            .streams, within: TrimmerRun.callLimit
        ) { session throws(RedisError) in
            for (place, reply) in zip(places, try session.send(pipeline)) {
                if let error = reply.error { throw error }
                counts.append((place, (reply.integer ?? 0) < 0 ? -1 : Int(reply.count)))
            }
        }
        return counts
    }

    // MARK: Caps

    private func cutByAge() throws(RedisError) {
        guard let maxAge = trimmer.options.maxAge else { return }
        // Ids are of Redis's clock, and this node's may be wrong.
        guard let now = redisTime else { return tellThatCapsFail("Redis does not tell its time") }
        let oldest = now - maxAge.wholeMilliseconds
        let end = StreamEntryID(milliseconds: UInt64(clamping: oldest), number: 0)
        var places: [Int] = []
        pipeline.removeAll()
        for (index, partition) in partitions.enumerated() {
            guard let first = partition.stream.firstID, first < end else { continue }
            addAcknowledgedTrim(index)
            addCut(index, "MINID", "\(end)")
            places += [index, index]
        }
        try cut(places, reason: "max-age")
    }

    private func cutByBytes() throws(RedisError) {
        if let memoryRefusal { return tellThatCapsFail(memoryRefusal) }
        let bytes = partitions.reduce(0) { $0 + $1.bytes }
        guard bytes > Int64(trimmer.options.maxBytes) else { return }
        let share = Double(trimmer.options.maxBytes) * TrimmerRun.keptShare / Double(bytes)
        var places: [Int] = []
        pipeline.removeAll()
        for (index, partition) in partitions.enumerated() where partition.stream.length > 0 {
            addAcknowledgedTrim(index)
            addCut(index, "MAXLEN", "\(Int(Double(partition.stream.length) * share))")
            places += [index, index]
        }
        try cut(places, reason: "max-bytes")
    }

    private func addAcknowledgedTrim(_ partition: Int) {
        pipeline.command(
            "XTRIM", trimmer.keys.names[partition], "MINID", "=",
            "\(acknowledgedEnd(of: partition) ?? .zero)")
    }

    private func addCut(_ partition: Int, _ strategy: String, _ threshold: String) {
        pipeline.command(
            "EVAL", TrimmerRun.cutScript, "2", trimmer.keys.names[partition],
            trimmer.keys.cuts[partition], strategy, threshold)
    }

    /// Trims, and leaves word of where the stream begins now, for nodes that had not read so far:
    /// nothing else tells them. In one step, so that none can read between the two; trimming first,
    /// which a Redis without memory still does. An emptied stream begins at its last id. Where the
    /// word may not be left nothing is cut, for the other nodes would lose events unawares; before
    /// Redis 7 that shows only afterwards, and the count is negative.
    private static let cutScript = """
        if redis.acl_check_cmd and not redis.acl_check_cmd('SET', KEYS[2], '0-0') then
          return redis.error_reply('NOPERM no right to SET ' .. KEYS[2])
        end
        local count = redis.call('XTRIM', KEYS[1], ARGV[1], '=', ARGV[2])
        if count > 0 then
          local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
          local start = first and first[1]
          if not start then
            local info = redis.call('XINFO', 'STREAM', KEYS[1])
            for i = 1, #info, 2 do
              if info[i] == 'last-generated-id' then start = info[i + 1] end
            end
          end
          if redis.pcall('SET', KEYS[2], start)['err'] then return -1 end
        end
        return count
        """

    /// Sends pairs of trims: first what all groups have acknowledged, then what the cap says. What
    /// the second takes, some group had not read; the consumers of all nodes find out whether it was
    /// theirs.
    private func cut(_ places: [Int], reason: String) throws(RedisError) {
        let counts: [(partition: Int, count: Int)]
        do throws(RedisError) {
            counts = try trimmed(places)
        } catch {
            // No script, or none that may do this: the other errors pass.
            guard error.code == .noPermission || error.code == .otherServer else { throw error }
            return tellThatCapsFail(error.description)
        }
        for pair in stride(from: 0, to: counts.count - 1, by: 2) {
            trimmer.trimmed.add(counts[pair].count)
            let count = counts[pair + 1].count
            guard count != 0 else { continue }
            trimmer.cut.add(max(count, 0))
            let partition = counts[pair].partition
            trimmer.log.error("a cap of the streams cut entries that a group had not read") {
                $0.add("cap", reason)
                $0.add("entries", count)
                $0.add("stream", trimmer.keys.names[partition])
                $0.add("groups", partitions[partition].groups.map(\.name).joined(separator: ","))
            }
            if count < 0 { tellThatCapsFail("other nodes cannot be told of what was cut") }
        }
    }

    /// Once: what stands in the way is a matter of rights, and stays.
    private func tellThatCapsFail(_ reason: String) {
        guard !hasToldThatCapsFail else { return }
        hasToldThatCapsFail = true
        trimmer.log.error("the caps of the streams do not work as they should") {
            $0.add("reason", reason)
        }
    }
}
