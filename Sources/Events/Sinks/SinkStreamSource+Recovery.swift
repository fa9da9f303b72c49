import Primitives
import Redis

// DESIGN
//
// Entries that were delivered before come back in two ways: pending for this node after a start or
// a read without an answer, and taken over from a node that is silent. Taking over gives their ids
// alone, so there is one way in which they are read: as this node's pending entries, in their order.
//
// Tries are counted as `PendingEntry` says, so that an entry that ends the process is found. But a
// batch is with its receiver for as long as that fails: once an attempt came back, whatever the
// receiver said to it, the process has outlived the entries that it carried, and the heartbeat sets
// their counts back to 1; an orderly stop does so with all. Restarts while a receiver is away or
// slow add nothing up. Order matters here, so what stands out is tried alone when its turn comes.

/// Entries that were delivered before.
extension SinkStreamSource {
    /// Deliveries after which it is not even decoded: that may be what ends the process.
    private static let deliveriesBeforeBlindness = PendingEntry.deliveriesBeforeGivingUp + 5

    /// Reads the first entries that are pending for this node.
    /// - Returns: nil if there are none.
    func readPending(
        _ partition: Int, _ place: inout Place
    ) throws(RedisError) -> SinkBatch? {
        let pending = try listPending(partition, place)
        guard let first = pending.first else { return nil }
        let tried = first.isSuspect ? pending.prefix(1) : pending.prefix { !$0.isSuspect }
        var pipeline = RedisPipeline()
        pipeline.fetch(tried, of: keys.names[partition])
        var copies = EntryCopies()
        var asked = tried[...]
        let time = try ask(
            pipeline, &place, count: tried.count, isQuestion: true
        ) { (reply) throws(RedisError) in
            if let entry = asked.popFirst() { try copies.add(reply, of: entry.id) }
        }
        let batch = SinkBatch(partition: partition)
        batch.isRedelivered = true
        take(tried, copies, into: batch, place.decoder)
        learn(from: batch, &place, asked: tried.count, after: time)
        redeliveredCount.add(batch.entries.count)
        if batch.isGivenUp {
            log.error("a sink gives up an entry that was delivered again and again") {
                $0.add("sink", options.name)
                $0.add("stream", keys.names[partition])
                $0.add("entry", "\(first.id)")
                $0.add("deliveries", first.deliveries)
                $0.add("events", batch.run.count)
            }
        }
        return batch
    }

    /// Decodes what was fetched, as far as there is room in one batch, and counts the try before.
    private func take(
        _ tried: ArraySlice<PendingEntry>, _ copies: borrowing EntryCopies, into batch: SinkBatch,
        _ decoder: SinkEntryDecoder
    ) {
        decoder.reset()
        guard let first = tried.first else { return }
        if first.deliveries > SinkStreamSource.deliveriesBeforeBlindness {
            return decoder.giveUp(first.id, copies.fields(of: 0), into: batch)
        }
        count(tried, tries: 1, batch.partition)
        batch.isGivenUp = first.isGivenUp
        for (index, entry) in tried.enumerated() where !decoder.isFull {
            decoder.take(entry.id, copies.fields(of: index), into: batch)
        }
        let rest = tried.dropFirst(batch.entries.count)
        if !rest.isEmpty { count(rest, tries: 0, batch.partition) }
    }

    /// A count that fails keeps nothing from being delivered: if it did, what is counted would be
    /// answers that were lost.
    private func count(_ entries: ArraySlice<PendingEntry>, tries: Int64, _ partition: Int) {
        var pipeline = RedisPipeline()
        pipeline.count(entries, tries: tries, keys.names[partition], group, of: node)
        do throws(RedisError) { try send(pipeline) } catch {
            if error.code == .noPermission { return tellThatTriesAreNotCounted(error) }
            log.debug("tries of a sink's entries were not counted") {
                $0.add("sink", options.name)
                $0.add("error", error)
            }
        }
    }

    /// Once: what stands in the way is a matter of rights, and stays.
    private func tellThatTriesAreNotCounted(_ error: RedisError) {
        guard !hasToldOfUncounted.exchange(true, ordering: .relaxed) else { return }
        log.error("an entry that ends the process would not be found out") {
            $0.add("sink", options.name)
            $0.add("error", error)
        }
    }

    private func listPending(
        _ partition: Int, _ place: Place
    ) throws(RedisError) -> [PendingEntry] {
        var pipeline = RedisPipeline()
        pipeline.listPending(
            keys.names[partition], group, of: node, behind: .zero, count: entryCount(place))
        var pending: [PendingEntry] = []
        try redis.call(
            .sinks, within: SinkStreamSource.answerLimit, isQuestion: true
        ) { session throws(RedisError) in
            pending = try PendingEntry.all(try session.single(pipeline))
        }
        return pending
    }

    /// Makes entries that another node has left lying pending for this one.
    /// - Returns: whether there were any.
    func claim(_ partition: Int, _ place: inout Place) throws(RedisError) -> Bool {
        var pipeline = RedisPipeline()
        pipeline.takeOver(
            keys.names[partition], group, for: node, idle: claimAfter, from: place.claimCursor,
            count: entryCount(place))
        var taken = TakenOver()
        try redis.call(
            .sinks, within: SinkStreamSource.answerLimit
        ) { session throws(RedisError) in
            taken = try TakenOver(try session.single(pipeline))
        }
        place.claimCursor = taken.cursor
        note(gone: taken.gone, [], partition)
        guard !taken.entries.isEmpty else { return false }
        log.notice("a sink takes over entries of another node") {
            $0.add("sink", options.name)
            $0.add("partition", partition)
            $0.add("entries", taken.entries.count)
        }
        return true
    }
}
