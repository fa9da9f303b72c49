import EventCoding
import Primitives
import Redis
import Synchronization

/// Finds out whether Redis still has what it acknowledged.
///
/// After a restart, a failover or an operator's FLUSHALL, streams may be gone or older than they
/// were. An id that Redis once gave and a count of entries ever added can only grow, so either
/// going back is proof of loss.
///
/// That is not enough where several nodes send: one that is quicker may have added more to the new
/// streams than this one knew of the old before it looks. So behind each pipeline goes a mark
/// (`HSET millrace:{0}:sent node sequence`), which only this node writes. Redis keeps the order of
/// what it was told, on disk and on replicas too, so a Redis whose mark is older, or that has none,
/// has lost what was sent after it. And the reply to HSET says if the mark was there: a FLUSHALL
/// between two pipelines is noticed with the second.
///
/// A lost connection, a new one or an odd reply raises suspicion. The forwarder then looks at the
/// server, and until it has acted on what it saw no reply of Redis is trusted: a Redis that came back
/// with older data gives ids beyond those that it has forgotten, which would settle lost records.
/// Any thread.
final class RedisLossDetector: Sendable {
    /// What a look at the server tells.
    struct Look: Equatable, Sendable {
        var runID = ""
        var replicationID = ""
        /// By partition; `.zero` without a stream.
        var lastIDs: [StreamEntryID]
        /// Entries ever added, by partition; nil before Redis 7.
        var added: [Int64?]
        /// The record that this node's mark names; 0 without a mark, nil if it cannot be known.
        var mark: UInt64?

        init(partitions: Int) {
            lastIDs = Array(repeating: .zero, count: partitions)
            added = Array(repeating: nil, count: partitions)
        }
    }

    enum Verdict: Equatable, Sendable {
        case same
        /// Another process or another history, with all that was acknowledged.
        case restarted
        case lost
    }

    private let loss = Locked<MonotonicTime?>(nil)
    private let known: Locked<Look>
    /// Raised since the start, and how many of those, with the connections made, a look has answered.
    private let suspicions = Atomic<UInt64>(1)
    private let answered = Atomic<UInt64>(0)
    private let markLost = Atomic(false)
    private let connectionsMade: @Sendable () -> UInt64

    /// - Parameters:
    ///   - checkpoint: what an earlier run of this node has seen.
    ///   - connectionsMade: grows with each connection, before anything is said on it.
    init(
        partitions: Int, checkpoint: ForwarderCheckpoint,
        connectionsMade: @escaping @Sendable () -> UInt64 = { 0 }
    ) {
        self.connectionsMade = connectionsMade
        var look = Look(partitions: partitions)
        look.runID = checkpoint.runID
        if checkpoint.ends.count == partitions { look.lastIDs = checkpoint.ends }
        look.mark = checkpoint.marked
        known = Locked(look)
    }

    /// When Redis was last seen to have lost data, by whichever thread. For a while nobody knows then
    /// which groups there were: a node that was started again has seen none.
    var lostAt: MonotonicTime? { loss.withLock { $0 } }
    /// Said before anything is sent again: afterwards the trimmer may find nothing missing.
    func noteLoss() { loss.withLock { $0 = .now() } }

    /// A call failed or a reply was strange: look before more is sent or believed.
    func suspect() { suspicions.add(1, ordering: .releasing) }
    /// All that was asked of Redis so far goes to servers that were looked at. Asked within a call,
    /// it holds for what the call then sends.
    var isTrusted: Bool { doubts == answered.load(ordering: .acquiring) }
    /// What a look that begins now can answer.
    var doubts: UInt64 { suspicions.load(ordering: .acquiring) &+ connectionsMade() }
    /// A look is over, and what it found has been acted upon.
    /// - Parameter doubts: from before the look: what came while it was made is not forgotten.
    func trust(since doubts: UInt64) { answered.store(doubts, ordering: .releasing) }

    /// Redis gave these ids, to so many entries of each partition.
    func acknowledged(_ ends: [StreamEntryID], counts: [Int]) {
        known.withLock { known in
            for index in ends.indices {
                known.lastIDs[index] = max(known.lastIDs[index], ends[index])
                if let added = known.added[index] {
                    known.added[index] = added &+ Int64(counts[index])
                }
            }
        }
    }

    /// Redis has this node's mark.
    /// - Parameter isNew: it had none before. There should have been one if there ever was: what was
    ///   sent before is lost then.
    func marked(_ sequence: UInt64, isNew: Bool) {
        let isLost = known.withLock { known in
            if isNew, (known.mark ?? 0) > 0 { return true }
            known.mark = sequence
            return false
        }
        guard isLost else { return }
        markLost.store(true, ordering: .releasing)
        suspect()
    }

    /// The mark was not there any more, and not everything has been sent again since.
    var isMarkLost: Bool { markLost.load(ordering: .acquiring) }

    /// Everything is sent again, so the mark is going to be lower than it was.
    func forgetMark() {
        known.withLock { $0.mark = 0 }
        markLost.store(false, ordering: .releasing)
    }

    /// For the checkpoint: a run that ends before everything was sent again must tell the next one.
    var markToKeep: UInt64 { isMarkLost ? .max : known.withLock { $0.mark ?? 0 } }
    var runID: String { known.withLock { $0.runID } }
    var lastIDs: [StreamEntryID] { known.withLock { $0.lastIDs } }
    var current: Look { known.withLock { $0 } }

    /// What `look` says about what was known before it was taken.
    static func verdict(_ look: Look, after before: Look) -> Verdict {
        for index in look.lastIDs.indices {
            if look.lastIDs[index] < before.lastIDs[index] { return .lost }
            if let old = before.added[index], let new = look.added[index], new < old {
                return .lost
            }
        }
        if let old = before.mark, let new = look.mark, new < old { return .lost }
        let isOther =
            (!before.runID.isEmpty && before.runID != look.runID)
            || (!before.replicationID.isEmpty && before.replicationID != look.replicationID)
        return isOther ? .restarted : .same
    }

    /// What HGET of a mark was answered with, as in `Look`.
    static func mark(in reply: RedisReply) -> UInt64? {
        reply.isNull ? 0 : reply.error == nil ? reply.string.flatMap { UInt64($0) } : nil
    }

    /// Takes `look` as known. The forwarder's thread only, while it sends nothing: what it sends is
    /// counted on top. The mark stays as it was acknowledged: a later one, whose reply was lost,
    /// may be followed by a lower one.
    func accept(_ look: Look) {
        known.withLock { known in
            let mark = known.mark
            known = look
            known.mark = mark
        }
    }
}

extension RedisLossDetector.Look {
    /// Asks the server, in one round trip.
    /// - Parameter node: whose mark it is.
    static func take(
        _ keys: StreamKeys, node: String, _ session: borrowing RedisSession
    ) throws(RedisError) -> RedisLossDetector.Look {
        var pipeline = RedisPipeline()
        pipeline.command("INFO", "server")
        pipeline.command("INFO", "replication")
        pipeline.command("HGET", keys.mark, node)
        for key in keys.names { pipeline.command("XINFO", "STREAM", key) }
        var look = RedisLossDetector.Look(partitions: keys.count)
        for (index, reply) in try session.send(pipeline).enumerated() {
            if let error = reply.error {
                // Without INFO or the mark, which an access list may forbid, ids and counts still
                // tell. A stream that is not there has an error of no class of its own.
                guard error.code == .otherServer || index < 3 else {
                    throw error.naming(keys.names[index - 3])
                }
                if index >= 3 { look.added[index - 3] = 0 }
                continue
            }
            switch index {
            case 0, 1: look.takeInfo(reply.string ?? "")
            case 2: look.mark = RedisLossDetector.mark(in: reply)
            default: look.takeStream(reply, partition: index - 3)
            }
        }
        return look
    }

    private mutating func takeInfo(_ text: String) {
        for line in text.split(whereSeparator: { $0.isNewline }) {
            if line.hasPrefix("run_id:") { runID = String(line.dropFirst(7)) }
            if line.hasPrefix("master_replid:") { replicationID = String(line.dropFirst(14)) }
        }
    }

    private mutating func takeStream(_ reply: RedisReply, partition: Int) {
        let stream = StreamInfo(reply)
        lastIDs[partition] = stream.lastID
        added[partition] = stream.added
    }
}
