import Primitives
import Redis

// DESIGN
//
// Entries that were delivered before come back in two ways: pending for this node after a start or
// a read without an answer, and claimed from a node that is silent. Claiming gives their ids alone,
// so there is one way in which they are read: as this node's pending entries, in their order, behind
// a question for how often each was delivered.
//
// Redis counts reads, whatever became of them. Here the count is to tell of one thing: an entry that
// ends the process that has it. So
// - claims and heartbeats do not count (JUSTID);
// - once an attempt with a batch came back, whatever the receiver said to it, the process has
//   outlived the batch, and the heartbeat sets the counts of its entries back to 1. Restarts while a
//   receiver is away add nothing up;
// - reads of this process that got no answer are subtracted: a slow network would make poison of
//   good entries.
//
// What is left over counts starts that ended between reading and the end of the first attempt.

/// Entries that were delivered before.
extension SinkStreamSource {
    /// Deliveries after which it is not even decoded: that may be what ends the process.
    private static let deliveriesBeforeBlindness = PendingEntry.deliveriesBeforeGivingUp + 5

    /// What to do with the first of the pending entries.
    private enum Treatment {
        case deliver(count: Int)
        case giveUp
        case setAside
    }

    /// Reads the first entries that are pending for this node.
    /// - Returns: nil if there are none.
    func readPending(
        _ partition: Int, _ place: inout Place
    ) throws(RedisError) -> SinkBatch? {
        let deliveries = try deliveries(partition, place)
        guard let first = deliveries.first else { return nil }
        let batch = SinkBatch(partition: partition)
        batch.isRedelivered = true
        let treatment = SinkStreamSource.treatment(deliveries)
        let count = if case .deliver(let count) = treatment { count } else { 1 }
        try readEntries(
            into: batch, &place, from: "0", count: count, block: nil
        ) { entries, decoder in
            guard case .setAside = treatment else { return decoder.take(entries, into: batch) }
            decoder.giveUp(entries, into: batch)
            return true
        }
        redeliveredCount.add(batch.entries.count)
        if case .giveUp = treatment {
            batch.isGivenUp = true
            log.error(
                "a sink gives up an entry that was delivered again and again",
                [
                    "sink": .string(options.name), "stream": .string(keys.names[partition]),
                    "entry": .string(batch.entries.first?.description ?? ""),
                    "deliveries": .integer(first), "events": .integer(Int64(batch.run.count)),
                ])
        }
        return batch.entries.isEmpty ? nil : batch
    }

    /// - Parameter deliveries: of the pending entries, in their order; not empty.
    private static func treatment(_ deliveries: [Int64]) -> Treatment {
        let first = deliveries.first ?? 0
        if first > deliveriesBeforeBlindness { return .setAside }
        if first > PendingEntry.deliveriesBeforeGivingUp { return .giveUp }
        let limit = PendingEntry.deliveriesBeforeIsolation
        return .deliver(count: max(1, deliveries.prefix { $0 <= limit }.count))
    }

    /// How often the first entries that are pending for this node were delivered.
    private func deliveries(_ partition: Int, _ place: Place) throws(RedisError) -> [Int64] {
        var pipeline = RedisPipeline()
        pipeline.command(
            "XPENDING", keys.names[partition], group, "-", "+", "\(entryCount(place))", node)
        var deliveries: [Int64] = []
        try redis.call(
            .sinks, within: SinkStreamSource.answerLimit, isQuestion: true
        ) { session throws(RedisError) in
            for entry in try session.single(pipeline).elements {
                let count = entry.elements[3]?.integer ?? 0
                deliveries.append(count - place.size.unansweredReads)
            }
        }
        return deliveries
    }

    /// Makes entries that another node has left lying pending for this one.
    /// - Returns: whether there were any.
    func claim(_ partition: Int, _ place: inout Place) throws(RedisError) -> Bool {
        var pipeline = RedisPipeline()
        pipeline.command(
            "XAUTOCLAIM", keys.names[partition], group, node, "\(claimAfter.wholeMilliseconds)",
            place.claimCursor, "COUNT", "\(entryCount(place))", "JUSTID")
        var next = "0-0"
        var count = 0
        var gone: [StreamEntryID] = []
        try redis.call(
            .sinks, within: SinkStreamSource.answerLimit
        ) { session throws(RedisError) in
            var reply = try session.single(pipeline).elements
            next = reply.next()?.string ?? "0-0"
            count = reply.next()?.elements.count ?? 0
            gone =
                reply.next()?.elements.compactMap { $0.bytes.flatMap { StreamEntryID($0) } } ?? []
        }
        place.claimCursor = next
        note(gone: gone, [], partition)
        guard count > 0 else { return false }
        log.notice(
            "a sink takes over entries of another node",
            [
                "sink": .string(options.name), "partition": .integer(Int64(partition)),
                "entries": .integer(Int64(count)),
            ])
        return true
    }
}
