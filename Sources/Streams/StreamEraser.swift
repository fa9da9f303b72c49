import EventCoding
import Primitives
import Redis
import Storage

/// Takes erased events out of a stream: those that some group has not acknowledged, for all others
/// are trimmed. One thread.
///
/// An entry that is an event is deleted. A frame with others beside is replaced by one without, at the
/// end of the stream, in one step: groups that had it already see the others twice. The new one says
/// which id it replaces, for that is what the ends of other erasures are compared with.
final class StreamEraser {
    private let redis: GuardedRedis
    private let keys: StreamKeys
    private let exchange: ErasureExchange
    private var reader = EventReader(maxDepth: StreamEntryDecoder.maxDepth)
    private var frame = StreamFrame()

    /// Of one reply: at most 64 MiB, of events of 256 KiB.
    private static let pageCount = 256
    private static let callLimit = Duration.seconds(2)

    /// KEYS: the stream. ARGV: the entry, and the fields of the one in its place.
    private static let replacing = """
        if redis.call('XDEL', KEYS[1], ARGV[1]) == 0 then return 0 end
        redis.call('XADD', KEYS[1], '*', 'frame', ARGV[2], 'count', ARGV[3], 'origin', ARGV[4],
            'replaces', ARGV[5])
        return 1
        """

    /// What becomes of entries.
    private struct Findings {
        var last: StreamEntryID?
        var deleted: [StreamEntryID] = []
        var replaced: [Replacement] = []
    }

    private struct Replacement {
        let entry: StreamEntryID
        let frame: Bytes
        let count: Int
        let origin: Bytes
        let firstID: StreamEntryID
    }

    init(_ redis: GuardedRedis, _ keys: StreamKeys, _ exchange: ErasureExchange) {
        self.redis = redis
        self.keys = keys
        self.exchange = exchange
    }

    /// Whether there is any entry up to `ends`, by partition.
    func hasEntries(through ends: [StreamEntryID]) throws(RedisError) -> Bool {
        var pipeline = RedisPipeline()
        for (key, end) in zip(keys.names, ends) {
            pipeline.command("XRANGE", key, "-", "\(end)", "COUNT", "1")
        }
        return try redis.call(
            .streams, within: StreamEraser.callLimit, isQuestion: true
        ) { session throws(RedisError) in
            for reply in try session.send(pipeline) {
                if let error = reply.error { throw error }
                if !reply.elements.isEmpty { return true }
            }
            return false
        }
    }

    /// Goes through all entries of `partition` up to `end`.
    /// - Returns: entries that were deleted or replaced.
    func run(_ partition: Int, through end: StreamEntryID) throws(RedisError) -> Int {
        var start = StreamEntryID.zero
        var count = 0
        while start <= end {
            let found = try look(partition, from: start, through: end)
            guard let last = found.last else { return count }
            try remove(found, partition)
            count += found.deleted.count + found.replaced.count
            start = last.next
        }
        return count
    }

    private func look(
        _ partition: Int, from start: StreamEntryID, through end: StreamEntryID
    ) throws(RedisError) -> Findings {
        var pipeline = RedisPipeline()
        pipeline.command(
            "XRANGE", keys.names[partition], "\(start)", "\(end)", "COUNT",
            "\(StreamEraser.pageCount)")
        return try redis.call(
            .streams, within: StreamEraser.callLimit, isQuestion: true
        ) { session throws(RedisError) in
            var found = Findings()
            for entry in try session.single(pipeline).elements {
                var parts = entry.elements
                guard let id = parts.next()?.bytes.flatMap({ StreamEntryID($0) }),
                    let fields = parts.next()
                else { continue }
                found.last = id
                judge(id, StreamEntryFields(fields.elements), partition, &found)
            }
            return found
        }
    }

    private func judge(
        _ entry: StreamEntryID, _ fields: StreamEntryFields, _ partition: Int,
        _ found: inout Findings
    ) {
        guard
            let filter = exchange.filter(
                origin: fields.origin, partition: partition, fields.firstID(entry))
        else { return }
        if let event = fields.event {
            let row = try? reader.readEntry(
                event, hasGeneratedID: StreamOrigin.hasGeneratedID(fields.origin),
                now: Int64(clamping: entry.milliseconds))
            if let row, filter.matches(row) { found.deleted.append(entry) }
        } else if let compressed = fields.frame {
            var rest = ByteBuffer(capacity: compressed.count)
            var (kept, erased) = (0, 0)
            let fault = frame.unpack(compressed, by: reader) { row, bytes in
                guard !filter.matches(row) else {
                    erased += 1
                    return
                }
                rest.append(bytes)
                kept += 1
            }
            // One that is no frame as a whole is in quarantine, as it came.
            guard erased > 0, fault == nil else { return }
            if kept == 0 { return found.deleted.append(entry) }
            let none = UnsafeRawBufferPointer(start: nil, count: 0)
            let smaller = gzipCompress(rest.span)
            found.replaced.append(
                Replacement(
                    entry: entry, frame: Bytes(smaller.span), count: kept,
                    origin: Bytes(fields.origin ?? none), firstID: fields.firstID(entry)))
        }
    }

    private func remove(_ found: Findings, _ partition: Int) throws(RedisError) {
        var pipeline = RedisPipeline()
        if !found.deleted.isEmpty {
            pipeline.begin("XDEL", argumentCount: 1 + found.deleted.count)
            pipeline.add(keys[partition])
            for entry in found.deleted { pipeline.add(entry) }
        }
        for replacement in found.replaced {
            pipeline.begin("EVAL", argumentCount: 8)
            pipeline.add(StreamEraser.replacing)
            pipeline.add(literal: "1")
            pipeline.add(keys[partition])
            pipeline.add(replacement.entry)
            pipeline.add(replacement.frame.span)
            pipeline.add(decimal: replacement.count)
            pipeline.add(replacement.origin.span)
            pipeline.add(replacement.firstID)
        }
        guard !pipeline.isEmpty else { return }
        try redis.call(.streams, within: StreamEraser.callLimit) { session throws(RedisError) in
            for reply in try session.send(pipeline) {
                if let error = reply.error { throw error }
            }
        }
    }
}

extension EventStreams {
    private static let trimLimit = Duration.seconds(5)
    private static let patienceWithReaders = Duration.seconds(10)
    private static let readersPause = Duration.milliseconds(200)

    /// This node has told the others of an erasure, once it had sent all that it took before.
    /// - Returns: false if the deadline passed first.
    package func waitUntilAnnounced(_ erasure: Erasure, until deadline: Deadline) -> Bool {
        exchange.waitUntilAnnounced(erasure.id, deadline: deadline) != nil
    }

    /// Removes from the streams what is to be erased. What other nodes still send is theirs to
    /// remove.
    ///
    /// Nodes keep the identities of what they read, so they get some time for it, and a group that
    /// does not come along in that time finds its entries gone.
    /// - Parameter isStopping: ends the wait.
    /// - Throws: also if the streams were not trimmed; call again.
    package func removeErased(_ erasure: Erasure, isStopping: () -> Bool) throws(RedisError) {
        guard let ends = exchange.waitUntilAnnounced(erasure.id, deadline: .after(.zero)) else {
            throw RedisError(.timeout, "the erasure is announced again first")
        }
        let eraser = StreamEraser(redis, keys, exchange)
        let patience = Deadline.after(EventStreams.patienceWithReaders)
        while true {
            guard trimmer.trimExactly(until: .after(EventStreams.trimLimit)) else {
                throw RedisError(.timeout, "the streams were not trimmed")
            }
            // Every group has acknowledged all of it.
            guard try eraser.hasEntries(through: ends) else { return }
            if patience.hasPassed { break }
            if isStopping() { throw RedisError(.timeout, "the service stops") }
            sleep(until: .after(EventStreams.readersPause))
        }
        for (partition, end) in ends.enumerated() where partition < keys.count {
            _ = try eraser.run(partition, through: end)
        }
    }
}
