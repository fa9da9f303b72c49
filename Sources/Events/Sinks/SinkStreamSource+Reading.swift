import Primitives
import Redis
import Storage

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

    /// Reads what the group has not been given yet.
    /// - Parameter block: how long Redis holds the read if there is nothing.
    /// - Returns: nil if there is nothing.
    func readNew(
        _ partition: Int, _ place: inout Place, block: Duration
    ) throws(RedisError) -> SinkBatch? {
        let batch = SinkBatch(partition: partition)
        let wait = max(block, .milliseconds(1))
        let count = entryCount(place)
        let decoder = place.decoder
        decoder.reset()
        var isWhole = true
        let time = try ask(
            read(partition, count: count, block: wait), &place, count: count, block: wait
        ) { (reply) throws(RedisError) in
            try reply.expectNewEntries()
            for stream in reply.elements {
                guard let entries = stream.elements[1] else { continue }
                isWhole = decoder.take(entries.elements, into: batch) && isWhole
            }
        }
        // What was left is pending for this node now.
        if !isWhole { place.hasRecovered = false }
        learn(from: batch, &place, asked: count, after: time)
        return batch.entries.isEmpty ? nil : batch
    }

    /// How many entries to ask for.
    func entryCount(_ place: Place) -> Int { min(place.size.count, countLimit) }

    private var countLimit: Int {
        min(options.batchSize, hasFrames.withLock { $0 } ? SinkStreamSource.frameCount : 1000)
    }

    /// Asks for the contents of entries, within the time that the lane gives an answer at present.
    /// - Parameters:
    ///   - count: of the entries.
    ///   - block: how long Redis holds a read that finds nothing.
    ///   - take: gets each reply, in the order of the commands.
    /// - Returns: the time that the answer took.
    func ask(
        _ pipeline: borrowing RedisPipeline, _ place: inout Place, count: Int,
        block: Duration = .zero, isQuestion: Bool = false,
        take: (RedisReply) throws(RedisError) -> Void
    ) throws(RedisError) -> Duration {
        let start = MonotonicTime.now()
        var time = Duration.zero
        do throws(RedisError) {
            try redis.call(
                .sinks, within: place.size.answerLimit, waitAllowance: block,
                isQuestion: isQuestion
            ) { session throws(RedisError) in
                let replies = try session.send(pipeline)
                time = MonotonicTime.now().since(start)
                for reply in replies {
                    if let error = reply.error { throw error }
                    try take(reply)
                }
            }
        } catch {
            place.size.failed(error.code, asked: count)
            throw error
        }
        return time
    }

    /// Notes how much was asked for and came, and tells of what is not delivered.
    func learn(from batch: SinkBatch, _ place: inout Place, asked count: Int, after time: Duration)
    {
        let decoder = place.decoder
        place.size.succeeded(
            asked: count, entries: batch.entries.count, bytes: decoder.byteCount,
            upTo: countLimit, after: time)
        if decoder.hasFrames { hasFrames.withLock { $0 = true } }
        note(gone: decoder.gone, decoder.faults, batch.partition)
        for fault in decoder.faults { setAside(fault, batch) }
    }

    private func read(_ partition: Int, count: Int, block: Duration) -> RedisPipeline {
        var pipeline = RedisPipeline()
        pipeline.begin("XREADGROUP", argumentCount: 10)
        pipeline.add(literal: "GROUP")
        pipeline.add(group)
        pipeline.add(node)
        pipeline.add(literal: "COUNT")
        pipeline.add(decimal: count)
        pipeline.add(literal: "BLOCK")
        pipeline.add(decimal: Int(block.wholeMilliseconds))
        pipeline.add(literal: "STREAMS")
        pipeline.add(keys[partition])
        pipeline.add(literal: ">")
        return pipeline
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

    // MARK: What was not as it should be

    /// Counts and tells which entries are not delivered.
    func note(gone: [StreamEntryID], _ faults: [SinkEntryFault], _ partition: Int) {
        let unreadable = Set(faults.map(\.entry))
        guard gone.count + unreadable.count > 0 else { return }
        lostCount.add(gone.count + unreadable.count)
        // One record a read, with the first of each kind: a stream may be full of them.
        log.error("entries of a stream did not reach a sink") {
            $0.add("sink", options.name)
            $0.add("stream", keys.names[partition])
            $0.add("gone", gone.count)
            $0.add("gone_entry", gone.first?.description ?? "")
            $0.add("unreadable", unreadable.count)
            $0.add("unreadable_entry", faults.first?.entry.description ?? "")
            $0.add("error", faults.first?.code ?? "")
        }
    }

    /// Has quarantine keep what the store's own reader of the stream had no reason to set aside.
    private func setAside(_ fault: SinkEntryFault, _ batch: SinkBatch) {
        guard let raw = fault.raw else { return }
        batch.setAside = .entry(
            fault.entry, of: keys.names[batch.partition], raw.span, isFrame: fault.isFrame,
            fault.code, "\(fault.detail) It did not reach the sink \(options.name).", masking)
    }
}
