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
        try readEntries(
            into: batch, &place, from: ">", count: entryCount(place), block: wait
        ) { entries, decoder in
            decoder.take(entries, into: batch)
        }
        return batch.entries.isEmpty ? nil : batch
    }

    /// How many entries to ask for.
    func entryCount(_ place: Place) -> Int { min(place.size.count, countLimit) }

    private var countLimit: Int {
        min(options.batchSize, hasFrames.withLock { $0 } ? SinkStreamSource.frameCount : 1000)
    }

    /// Asks for entries of one partition.
    /// - Parameters:
    ///   - id: `>` for new entries, `0` for those pending for this node.
    ///   - block: how long Redis holds a read that finds nothing; nil does not wait.
    ///   - take: puts them into the batch; false if it left some, which are then pending.
    func readEntries(
        into batch: SinkBatch, _ place: inout Place, from id: String, count: Int,
        block: Duration?, take: (RedisReplies, SinkEntryDecoder) -> Bool
    ) throws(RedisError) {
        let pipeline = read(batch.partition, from: id, count: count, block: block)
        let decoder = place.decoder
        let start = MonotonicTime.now()
        var time = Duration.zero
        var isWhole = true
        do throws(RedisError) {
            try redis.call(
                .sinks, within: place.size.answerLimit, waitAllowance: block ?? .zero
            ) { session throws(RedisError) in
                let reply = try session.single(pipeline)
                time = MonotonicTime.now().since(start)
                decoder.reset()
                for stream in reply.elements {
                    guard let entries = stream.elements[1] else { continue }
                    isWhole = take(entries.elements, decoder) && isWhole
                }
            }
        } catch {
            place.size.failed(error.code, asked: count)
            throw error
        }
        place.size.succeeded(
            asked: count, entries: batch.entries.count, bytes: decoder.byteCount,
            upTo: countLimit, after: time)
        if !isWhole { place.hasRecovered = false }
        if decoder.hasFrames { hasFrames.withLock { $0 = true } }
        note(gone: decoder.gone, decoder.faults, batch.partition)
    }

    private func read(
        _ partition: Int, from id: String, count: Int, block: Duration?
    ) -> RedisPipeline {
        var pipeline = RedisPipeline()
        pipeline.begin("XREADGROUP", argumentCount: block == nil ? 8 : 10)
        pipeline.add(literal: "GROUP")
        pipeline.add(group)
        pipeline.add(node)
        pipeline.add(literal: "COUNT")
        pipeline.add(decimal: count)
        if let block {
            pipeline.add(literal: "BLOCK")
            pipeline.add(decimal: Int(block.wholeMilliseconds))
        }
        pipeline.add(literal: "STREAMS")
        pipeline.add(keys[partition])
        pipeline.add(id)
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
        for fault in faults { keep(fault, partition) }
        // One record a read, with the first of each kind: a stream may be full of them.
        log.error(
            "entries of a stream did not reach a sink",
            [
                "sink": .string(options.name), "stream": .string(keys.names[partition]),
                "gone": .integer(Int64(gone.count)),
                "gone_entry": .string(gone.first?.description ?? ""),
                "unreadable": .integer(Int64(unreadable.count)),
                "unreadable_entry": .string(faults.first?.entry.description ?? ""),
                "error": .string(faults.first?.code ?? ""),
            ])
    }

    /// Keeps in quarantine what the store's own reader of the stream had no reason to set aside.
    private func keep(_ fault: SinkEntryFault, _ partition: Int) {
        guard let raw = fault.raw else { return }
        var preview = ByteBuffer(capacity: 256)
        MaskedPreview.append(raw.span, to: &preview)
        store.quarantine.add(
            QuarantineEntry(
                received: WallClock.nowMilliseconds(), code: fault.code,
                detail: """
                    \(fault.detail) Entry \(fault.entry) of \(keys.names[partition]) did not reach \
                    the sink \(options.name).
                    """,
                contentType: "application/cloudevents+json", raw: raw, preview: preview.text))
    }
}
