import Primitives
import Redis
import Storage
import Streams
import Telemetry

/// One partition of a stream as a sink reads it, one batch after the other. The lane's thread, but for
/// the lag.
///
/// DESIGN. Its `GroupReader` says how entries are read and tries are counted. Order matters here, so an
/// entry that stands out is tried alone when its turn comes, and one that does not arrive is waited
/// for. A batch is with its receiver for as long as that fails: once an attempt came back, whatever the
/// receiver said to it, the process has outlived the entries that it carried, and the heartbeat sets
/// their counts back to 1; an orderly stop does so with all. Restarts while a receiver is away or slow
/// add nothing up.
final class SinkPartition: @unchecked Sendable {  // One lane's thread has it; `lag` is locked.
    private let index: Int
    private unowned let source: SinkStreamSource
    private let reader: GroupReader
    private let decoder: SinkEntryDecoder
    private var hasGroup = false
    /// What is pending for this node was read to its end.
    private var hasRecovered = false
    private var nextClaim: MonotonicTime
    private var claimCursor = "0-0"
    private var nextLook = MonotonicTime.now()
    private let lastLag = Locked<Int64?>(nil)

    /// For what is answered in a few bytes, and at first for entries.
    static let answerLimit = Duration.seconds(1)
    /// Between looks at whether a partition is still another node's.
    private static let othersTurn = Duration.milliseconds(100)
    private static let lookInterval = Duration.seconds(5)
    private static let readLimit = 1000
    /// Frames hold up to 2 MiB of events each.
    private static let frameLimit = 4
    /// Deliveries after which an entry is not even decoded: that may be what ends the process.
    private static let deliveriesBeforeBlindness = PendingEntry.deliveriesBeforeGivingUp + 5

    init(_ index: Int, of source: SinkStreamSource) {
        self.index = index
        self.source = source
        reader = GroupReader(
            source.redis, .sinks, keys: source.keys, group: source.options.streamGroup,
            name: source.node, claimAfter: source.claimAfter,
            answerLimit: SinkPartition.answerLimit,
            size: ReadSize(answerLimit: SinkPartition.answerLimit)
        ) { [unowned source] in source.tellThatTriesAreNotCounted($0) }
        decoder = SinkEntryDecoder(source.options.filter)
        nextClaim = .now() + source.claimAfter / 4
    }

    /// Entries that are still to be delivered; nil if unknown. Any thread.
    var lag: Int64? { lastLag.withLock { $0 } }

    // MARK: Reading

    /// Own pending entries, then those of the dead, then new ones.
    /// - Returns: nil if there are none until `deadline`.
    func next(until deadline: Deadline) throws(RedisError) -> SinkBatch? {
        do throws(RedisError) {
            if !hasGroup {
                try reader.makeGroup(in: [index])
                hasGroup = true
            }
            try look()
            if let batch = try recover() { return batch }
            guard source.isReader(of: index) else {
                sleep(until: min(deadline, .after(SinkPartition.othersTurn)))
                return nil
            }
            if let batch = try claim() { return batch }
            return try readNew(block: max(deadline.remaining, .milliseconds(1)))
        } catch {
            hasRecovered = false
            claimCursor = "0-0"
            if error.code == .noGroup { hasGroup = false }
            throw error
        }
    }

    private func recover() throws(RedisError) -> SinkBatch? {
        if hasRecovered { return nil }
        if let batch = try readPending() { return batch }
        hasRecovered = true
        return nil
    }

    /// Takes over what another node has left lying, and reads it as this node's: only that is in the
    /// order of the entries.
    private func claim() throws(RedisError) -> SinkBatch? {
        let now = MonotonicTime.now()
        guard now >= nextClaim else { return nil }
        let taken = try reader.takeOver(index, from: claimCursor, count: readCount)
        claimCursor = taken.cursor
        if claimCursor == "0-0" { nextClaim = now + source.claimAfter / 4 }
        source.note(gone: taken.gone, [], index)
        if taken.entries.isEmpty { return nil }
        source.log.notice("a sink takes over entries of another node") {
            $0.add("sink", source.options.name)
            $0.add("partition", index)
            $0.add("entries", taken.entries.count)
        }
        hasRecovered = false
        return try recover()
    }

    /// How many entries to ask for.
    private var readCount: Int { min(reader.size.count, countLimit) }

    private var countLimit: Int {
        min(
            source.options.batchSize,
            source.hasFrames ? SinkPartition.frameLimit : SinkPartition.readLimit)
    }

    private func readNew(block: Duration) throws(RedisError) -> SinkBatch? {
        let batch = SinkBatch(partition: index)
        let count = readCount
        decoder.reset()
        var isWhole = true
        var pipeline = RedisPipeline()
        reader.addRead(
            of: CollectionOfOne(index), count: count, block: block, to: &pipeline)
        let time = try reader.ask(
            pipeline, for: count, block: block
        ) { (reply) throws(RedisError) in
            if let error = reply.error { throw error }
            try reader.entries(in: reply) { _, entries in
                isWhole = decoder.take(entries, into: batch) && isWhole
            }
        }
        // What was left is pending for this node now.
        if !isWhole { hasRecovered = false }
        learn(from: batch, asked: count, after: time)
        return batch.entries.isEmpty ? nil : batch
    }

    /// Reads the first entries that are pending for this node.
    /// - Returns: nil if there are none.
    private func readPending() throws(RedisError) -> SinkBatch? {
        let pending = try reader.pending(index, count: readCount)
        guard let first = pending.first else { return nil }
        let tried = first.isSuspect ? pending.prefix(1) : pending.prefix { !$0.isSuspect }
        var copies = EntryCopies()
        let time = try reader.fetch(tried, of: index, into: &copies)
        let batch = SinkBatch(partition: index)
        batch.isRedelivered = true
        take(tried, copies, into: batch)
        learn(from: batch, asked: tried.count, after: time)
        source.redeliveredCount.add(batch.entries.count)
        if batch.isGivenUp {
            source.log.error("a sink gives up an entry that was delivered again and again") {
                $0.add("sink", source.options.name)
                $0.add("stream", source.keys.names[index])
                $0.add("entry", "\(first.id)")
                $0.add("deliveries", first.deliveries)
                $0.add("events", batch.run.count)
            }
        }
        return batch
    }

    /// Decodes what was fetched, as far as there is room in one batch, and counts the try before.
    private func take(
        _ tried: ArraySlice<PendingEntry>, _ copies: borrowing EntryCopies, into batch: SinkBatch
    ) {
        decoder.reset()
        guard let first = tried.first else { return }
        if first.deliveries > SinkPartition.deliveriesBeforeBlindness {
            return decoder.giveUp(first.id, copies.fields(of: 0), into: batch)
        }
        count(tried, tries: 1)
        batch.isGivenUp = first.isGivenUp
        for (index, entry) in tried.enumerated() where !decoder.isFull {
            decoder.take(entry.id, copies.fields(of: index), into: batch)
        }
        let rest = tried.dropFirst(batch.entries.count)
        if !rest.isEmpty { count(rest, tries: 0) }
    }

    /// A count that fails keeps nothing from being delivered: if it did, what is counted would be
    /// answers that were lost.
    private func count(_ entries: ArraySlice<PendingEntry>, tries: Int64) {
        do throws(RedisError) { try reader.count(entries, tries: tries, of: index) } catch {
            source.log.debug("tries of a sink's entries were not counted") {
                $0.add("sink", source.options.name)
                $0.add("error", error)
            }
        }
    }

    /// Notes how much was asked for and came, and tells of what is not delivered.
    private func learn(from batch: SinkBatch, asked count: Int, after time: Duration) {
        reader.size.succeeded(
            asked: count, entries: batch.entries.count, bytes: decoder.byteCount,
            upTo: countLimit, after: time)
        if decoder.hasFrames { source.noteFrames() }
        source.note(gone: decoder.gone, decoder.faults, index)
        for fault in decoder.faults { source.setAside(fault, batch) }
    }

    /// Asks now and then how much there is still to be delivered.
    private func look() throws(RedisError) {
        let now = MonotonicTime.now()
        guard now >= nextLook else { return }
        nextLook = now + SinkPartition.lookInterval
        var pipeline = RedisPipeline()
        pipeline.command("XINFO", "GROUPS", source.keys.names[index])
        var lag: Int64?
        try reader.send(pipeline) { (reply) throws(RedisError) in
            // Redis cannot always tell how many a group has not been given.
            let own = StreamGroupInfo.all(reply).first { $0.name == reader.group }
            lag = own.flatMap { own in own.lag.map { $0 + own.pending } }
        }
        lastLag.withLock { $0 = lag }
    }

    // MARK: While a batch is delivered, and after

    /// Claims the entries of a batch anew; those that the process has outlived begin to be counted
    /// again.
    func keep(_ batch: SinkBatch) throws(RedisError) {
        let outlivedCount = batch.isRedelivered ? batch.outlivedCount : 0
        var pipeline = RedisPipeline()
        reader.addClaim(
            of: batch.entries.prefix(outlivedCount), index, deliveries: 1, to: &pipeline)
        reader.addClaim(
            of: batch.entries.dropFirst(outlivedCount), index, deliveries: nil, to: &pipeline)
        do throws(RedisError) {
            try reader.send(pipeline)
            // While a receiver is away nobody asks for more, and the lag is what people look at.
            try look()
        } catch {
            // Redis may have lost the group; it must be there before entries it has not read go.
            if error.code == .noGroup {
                do throws(RedisError) { try reader.makeGroup(in: [index]) } catch {
                    hasGroup = false
                }
            }
            throw error
        }
    }

    func acknowledge(_ batch: SinkBatch) throws(RedisError) {
        var pipeline = RedisPipeline()
        reader.addAcknowledgement(of: batch.entries, index, to: &pipeline)
        try reader.send(pipeline)
    }
}
