import EventCoding
import Primitives
import Redis
import Telemetry

// DESIGN
//
// A group reader is one consumer of a Redis consumer group: what a node's store and its sinks say to
// Redis about the entries of their partitions, in one way. The partition is the unit; a store has
// one reader for all of its partitions on one thread, a sink one for each on the partition's lane.
//
//                    failure, or the group is gone
//            ┌───────────────────────────────────────────────┐
//            ▼                                               │
//     without a group ── made ──▶ recovering ── none left ──▶ reading ──▶ done with it: acknowledged
//                                     ▲                      │
//                                     └── entries taken over ┘
//
// INVARIANTS
// - An entry is pending for a consumer of the group from the read that gave it until it is
//   acknowledged, and it is acknowledged only after its reader is done with it for good.
// - A read whose answer was lost may have been carried out. So after a start, a failure and a
//   take-over a partition recovers: its pending entries are read from the first on, and nothing new
//   before all of them are under way. (Asking for pending entries with every read would reset the idle
//   times by which other consumers know what they may take over.)
// - A try is counted, once, after the contents of an entry have arrived and before they are decoded
//   (`PendingEntry`). Nothing else raises Redis's count of deliveries: XRANGE and JUSTID do not.
// - What did not arrive is asked for again in smaller parts (`ReadSize`).

/// One consumer of a group, for some partitions. One thread at a time.
package final class GroupReader {
    let keys: StreamKeys
    package let group: String
    /// This node's name in the group.
    let name: String
    package var size: ReadSize
    private let redis: GuardedRedis
    private let lane: RedisLane
    /// How long an entry lies with a consumer that says nothing before this one takes it over.
    let claimAfter: Duration
    /// For what is answered in a few bytes.
    private let answerLimit: Duration
    private let isUncounted: (RedisError) -> Void

    /// - Parameters:
    ///   - size: what it begins with.
    ///   - isUncounted: called where Redis does not let tries be counted, which stays so.
    package init(
        _ redis: GuardedRedis, _ lane: RedisLane, keys: StreamKeys, group: String, name: String,
        claimAfter: Duration, answerLimit: Duration, size: ReadSize,
        isUncounted: @escaping (RedisError) -> Void
    ) {
        self.redis = redis
        self.lane = lane
        self.keys = keys
        self.group = group
        self.name = name
        self.claimAfter = claimAfter
        self.answerLimit = answerLimit
        self.size = size
        self.isUncounted = isUncounted
    }

    // MARK: The group

    /// Makes the group where it is missing, at the beginning of the streams: what a stream still has
    /// was trimmed for nobody.
    package func makeGroup(in partitions: [Int]) throws(RedisError) {
        var pipeline = RedisPipeline()
        // First: trimmers must know the group before it is given an entry.
        GroupRegistry.addEntry(of: group, keys, to: &pipeline)
        for partition in partitions {
            pipeline.command("XGROUP", "CREATE", keys.names[partition], group, "0", "MKSTREAM")
        }
        try redis.call(lane, within: answerLimit) { session throws(RedisError) in
            for (index, reply) in try session.send(pipeline).enumerated() {
                guard let error = reply.error, error.code != .busyGroup else { continue }
                // An access list may forbid the registry, which is no reason to read nothing.
                if index == 0, error.code == .noPermission { continue }
                throw error
            }
        }
    }

    // MARK: Pending entries

    /// The next entries beyond `after` that are pending for this consumer, in their order.
    package func pending(
        _ partition: Int, after: StreamEntryID = .zero, count: Int
    ) throws(RedisError) -> [PendingEntry] {
        var pipeline = RedisPipeline()
        pipeline.command(
            "XPENDING", keys.names[partition], group, "\(after.next)", "+", "\(count)", name)
        var entries: [PendingEntry] = []
        try send(pipeline, isQuestion: true) { (reply) throws(RedisError) in
            entries = try PendingEntry.all(reply)
        }
        return entries
    }

    /// Gets the contents of `entries` into `copies`. That is no delivery.
    /// - Parameter limit: how long a single entry may take that is known to be late; nil for others.
    /// - Returns: the time that the answer took.
    package func fetch(
        _ entries: ArraySlice<PendingEntry>, of partition: Int, into copies: inout EntryCopies,
        within limit: AnswerLimit? = nil
    ) throws(RedisError) -> Duration {
        copies.removeAll()
        var pipeline = RedisPipeline()
        for entry in entries {
            pipeline.command("XRANGE", keys.names[partition], "\(entry.id)", "\(entry.id)")
        }
        var rest = entries
        return try ask(
            pipeline, for: entries.count, within: limit, isQuestion: true
        ) { (reply) throws(RedisError) in
            if let error = reply.error { throw error }
            if let entry = rest.popFirst() { try copies.add(reply, of: entry.id) }
        }
    }

    /// Sets how often `entries` were delivered to what was listed and so many tries more.
    package func count(
        _ entries: ArraySlice<PendingEntry>, tries: Int64, of partition: Int
    ) throws(RedisError) {
        var pipeline = RedisPipeline()
        for (deliveries, entries) in Dictionary(grouping: entries, by: \.deliveries) {
            addClaim(
                of: entries.map(\.id)[...], partition, deliveries: deliveries + tries,
                to: &pipeline)
        }
        do throws(RedisError) { try send(pipeline) } catch {
            guard error.code == .noPermission else { throw error }
            isUncounted(error)
        }
    }

    /// Claims own entries anew, which sets their idle time back.
    /// - Parameter deliveries: what their count becomes; nil leaves it as it is.
    package func addClaim(
        of entries: ArraySlice<StreamEntryID>, _ partition: Int, deliveries: Int64?,
        to pipeline: inout RedisPipeline
    ) {
        guard !entries.isEmpty else { return }
        pipeline.begin("XCLAIM", argumentCount: (deliveries == nil ? 5 : 7) + entries.count)
        pipeline.add(keys[partition])
        pipeline.add(group)
        pipeline.add(name)
        pipeline.add(literal: "0")
        for entry in entries { pipeline.add(entry) }
        if let deliveries {
            pipeline.add(literal: "RETRYCOUNT")
            pipeline.add(decimal: Int(deliveries))
        }
        pipeline.add(literal: "JUSTID")
    }

    /// Makes entries pending for this consumer that another has left lying. That is no delivery.
    package func takeOver(
        _ partition: Int, from cursor: String, count: Int
    ) throws(RedisError) -> TakenOver {
        var pipeline = RedisPipeline()
        pipeline.command(
            "XAUTOCLAIM", keys.names[partition], group, name, "\(claimAfter.wholeMilliseconds)",
            cursor, "COUNT", "\(count)", "JUSTID")
        var taken = TakenOver()
        try send(pipeline) { (reply) throws(RedisError) in taken = try TakenOver(reply) }
        return taken
    }

    // MARK: New entries

    /// Asks for what the group has not been given yet.
    /// - Parameters:
    ///   - count: entries of each partition.
    ///   - block: how long Redis holds the read if there is nothing.
    package func addRead(
        of partitions: some Collection<Int>, count: Int, block: Duration,
        to pipeline: inout RedisPipeline
    ) {
        pipeline.begin("XREADGROUP", argumentCount: 8 + 2 * partitions.count)
        pipeline.add(literal: "GROUP")
        pipeline.add(group)
        pipeline.add(name)
        pipeline.add(literal: "COUNT")
        pipeline.add(decimal: count)
        pipeline.add(literal: "BLOCK")
        pipeline.add(decimal: Int(block.wholeMilliseconds))
        pipeline.add(literal: "STREAMS")
        for partition in partitions { pipeline.add(keys[partition]) }
        for _ in partitions { pipeline.add(literal: ">") }
    }

    /// The entries of the answer to `addRead`, by partition.
    /// - Throws: `.unexpectedReply`.
    package func entries(
        in reply: RedisReply, _ take: (_ partition: Int, _ entries: RedisReplies) -> Void
    ) throws(RedisError) {
        try reply.expectNewEntries()
        for stream in reply.elements {
            var parts = stream.elements
            guard let key = parts.next()?.bytes, let entries = parts.next(),
                let partition = keys.partition(of: key)
            else { continue }
            take(partition, entries.elements)
        }
    }

    // MARK: Done

    /// Acknowledges entries.
    package func addAcknowledgement(
        of entries: [StreamEntryID], _ partition: Int, to pipeline: inout RedisPipeline
    ) {
        guard !entries.isEmpty else { return }
        pipeline.begin("XACK", argumentCount: 2 + entries.count)
        pipeline.add(keys[partition])
        pipeline.add(group)
        for entry in entries { pipeline.add(entry) }
    }

    // MARK: Asking

    /// Sends what is answered in a few bytes.
    /// - Parameter take: gets each reply, in the order of the commands.
    package func send(
        _ pipeline: borrowing RedisPipeline, isQuestion: Bool = false,
        take: (RedisReply) throws(RedisError) -> Void = { _ in }
    ) throws(RedisError) {
        if pipeline.isEmpty { return }
        try redis.call(lane, within: answerLimit, isQuestion: isQuestion) {
            session throws(RedisError) in
            for reply in try session.send(pipeline) {
                if let error = reply.error { throw error }
                try take(reply)
            }
        }
    }

    /// Asks for contents, within the time that an answer gets at present.
    /// - Parameters:
    ///   - count: entries of a partition that are asked for.
    ///   - block: how long Redis holds a read that finds nothing.
    ///   - take: gets each reply, errors too, in the order of the commands.
    /// - Returns: the time that the answer took.
    package func ask(
        _ pipeline: borrowing RedisPipeline, for count: Int, within limit: AnswerLimit? = nil,
        block: Duration = .zero, isQuestion: Bool = false,
        take: (RedisReply) throws(RedisError) -> Void
    ) throws(RedisError) -> Duration {
        let start = MonotonicTime.now()
        var time = Duration.zero
        do throws(RedisError) {
            try redis.call(
                lane, within: max(size.answerLimit, limit?.current ?? .zero),
                waitAllowance: block, isQuestion: isQuestion
            ) { session throws(RedisError) in
                let replies = try session.send(pipeline)
                time = MonotonicTime.now().since(start)
                for reply in replies { try take(reply) }
            }
        } catch {
            if limit == nil { size.failed(error.code, asked: count) }
            throw error
        }
        return time
    }
}
