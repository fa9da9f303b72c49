import Primitives
import Redis

/// What a lane asks Redis for.
extension SinkStreamSource {
    /// Frames hold up to 2 MiB of events each.
    private static let frameCount = 4
    private static let lookInterval = Duration.seconds(5)

    /// Makes the group where it is missing, at the beginning of the stream: what the stream still
    /// has was trimmed for nobody.
    func makeGroup(_ partition: Int) throws(RedisError) {
        var pipeline = RedisPipeline()
        pipeline.command("XGROUP", "CREATE", keys.names[partition], group, "0", "MKSTREAM")
        try redis.call(
            .sinks, within: SinkStreamSource.answerLimit
        ) { session throws(RedisError) in
            guard let error = try session.send(pipeline).first?.error else { return }
            if error.code != .busyGroup { throw error }
        }
    }

    /// - Parameters:
    ///   - id: `>` for new entries, `0` for those pending for this node.
    ///   - block: how long Redis holds a read that finds nothing; nil does not wait.
    /// - Returns: nil if there are none.
    func readEntries(
        _ partition: Int, _ decoder: SinkEntryDecoder, from id: String, block: Duration?
    ) throws(RedisError) -> SinkBatch? {
        var pipeline = RedisPipeline()
        let wait = max(block ?? .zero, .milliseconds(1))
        pipeline.begin("XREADGROUP", argumentCount: block == nil ? 8 : 10)
        pipeline.add(literal: "GROUP")
        pipeline.add(group)
        pipeline.add(node)
        pipeline.add(literal: "COUNT")
        pipeline.add(decimal: entryCount)
        if block != nil {
            pipeline.add(literal: "BLOCK")
            pipeline.add(decimal: Int(wait.wholeMilliseconds))
        }
        pipeline.add(literal: "STREAMS")
        pipeline.add(keys[partition])
        pipeline.add(id)
        let batch = SinkBatch(partition: partition)
        let allowance = block == nil ? Duration.zero : wait
        try redis.call(
            .sinks, within: SinkStreamSource.answerLimit, waitAllowance: allowance
        ) { session throws(RedisError) in
            let reply = try session.single(pipeline)
            decoder.reset()
            for stream in reply.elements {
                guard let entries = stream.elements[1] else { continue }
                decoder.take(entries.elements, into: batch)
            }
            note(decoder)
        }
        return batch.entries.isEmpty ? nil : batch
    }

    /// Takes over entries that another node has left lying.
    /// - Parameter cursor: where to go on; `0-0` once all were looked at.
    func claim(
        _ partition: Int, _ decoder: SinkEntryDecoder, _ cursor: inout String
    ) throws(RedisError) -> SinkBatch? {
        var pipeline = RedisPipeline()
        pipeline.command(
            "XAUTOCLAIM", keys.names[partition], group, node, "\(claimAfter.wholeMilliseconds)",
            cursor, "COUNT", "\(entryCount)")
        let batch = SinkBatch(partition: partition)
        var next = "0-0"
        try redis.call(
            .sinks, within: SinkStreamSource.answerLimit
        ) { session throws(RedisError) in
            var reply = try session.single(pipeline).elements
            next = reply.next()?.string ?? "0-0"
            decoder.reset()
            if let entries = reply.next() { decoder.take(entries.elements, into: batch) }
            decoder.gone += reply.next()?.elements.count ?? 0
            note(decoder)
        }
        cursor = next
        guard !batch.entries.isEmpty else { return nil }
        log.notice(
            "a sink takes over entries of another node",
            [
                "sink": .string(options.name), "partition": .integer(Int64(partition)),
                "entries": .integer(Int64(batch.entries.count)),
            ])
        return batch
    }

    /// Asks now and then how much there is still to be delivered.
    func look(_ partition: Int, _ place: inout Place) throws(RedisError) {
        let now = MonotonicTime.now()
        guard now >= place.nextLook else { return }
        place.nextLook = now + SinkStreamSource.lookInterval
        var pipeline = RedisPipeline()
        pipeline.command("XINFO", "GROUPS", keys.names[partition])
        var lag: Int64?
        try redis.call(
            .sinks, within: SinkStreamSource.answerLimit
        ) { session throws(RedisError) in
            let groups = StreamGroupInfo.all(try session.single(pipeline))
            // Redis cannot always tell how many a group has not been given.
            guard let own = groups.first(where: { $0.name == group }) else { return }
            lag = own.lag.map { $0 + own.pending }
        }
        place.lag = lag
    }

    private var entryCount: Int { min(options.batchSize, maxEntryCount) }
    private var maxEntryCount: Int {
        hasFrames.withLock { $0 } ? SinkStreamSource.frameCount : 1000
    }

    private func note(_ decoder: SinkEntryDecoder) {
        if decoder.hasFrames { hasFrames.withLock { $0 = true } }
        guard decoder.gone + decoder.unreadable > 0 else { return }
        lostCount.add(decoder.gone + decoder.unreadable)
        log.error(
            "entries of a stream did not reach a sink",
            [
                "sink": .string(options.name), "gone": .integer(Int64(decoder.gone)),
                "unreadable": .integer(Int64(decoder.unreadable)),
            ])
    }
}
