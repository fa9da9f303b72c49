import Primitives
import Redis
import Synchronization

/// Finds out whether Redis still has what it acknowledged.
///
/// After a restart, a failover or an operator's FLUSHALL, streams may be gone or older than they
/// were. An id that Redis once gave and a count of entries ever added can only grow, so either
/// going back is proof of loss. Any thread.
final class StreamContinuity: Sendable {
    /// What a look at the server tells.
    struct Look: Equatable, Sendable {
        var runID = ""
        var replicationID = ""
        /// By partition; `.zero` without a stream.
        var lastIDs: [StreamEntryID]
        /// Entries ever added, by partition; nil before Redis 7.
        var added: [Int64?]

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

    private let known: Locked<Look>
    private let suspicion = Atomic<Bool>(true)

    /// - Parameter note: what an earlier run of this node has seen.
    init(partitions: Int, note: ForwarderNote) {
        var look = Look(partitions: partitions)
        look.runID = note.runID
        if note.ends.count == partitions { look.lastIDs = note.ends }
        known = Locked(look)
    }

    /// A connection was lost or a reply was strange: look before more is sent.
    func suspect() { suspicion.store(true, ordering: .releasing) }
    var isSuspect: Bool { suspicion.load(ordering: .acquiring) }
    /// Before a look, so that a suspicion that comes while it is made is not forgotten.
    func clearSuspicion() { suspicion.store(false, ordering: .releasing) }

    /// Redis gave these ids, to so many entries of each partition.
    func acknowledged(_ ends: [StreamEntryID], counts: [Int]) {
        known.withLock { known in
            for index in ends.indices {
                known.lastIDs[index] = max(known.lastIDs[index], ends[index])
                if let added = known.added[index] {
                    known.added[index] = added + Int64(counts[index])
                }
            }
        }
    }

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
        let isOther =
            (!before.runID.isEmpty && before.runID != look.runID)
            || (!before.replicationID.isEmpty && before.replicationID != look.replicationID)
        return isOther ? .restarted : .same
    }

    /// Takes `look` as known. The forwarder's thread only, while it sends nothing: what it sends is
    /// counted on top.
    func accept(_ look: Look) { known.withLock { $0 = look } }
}

extension StreamContinuity.Look {
    /// Asks the server, in one round trip.
    static func take(
        _ keys: StreamKeys, _ session: borrowing RedisSession
    ) throws(RedisError) -> StreamContinuity.Look {
        var pipeline = RedisPipeline()
        pipeline.command("INFO", "server")
        pipeline.command("INFO", "replication")
        for key in keys.names { pipeline.command("XINFO", "STREAM", key) }
        var look = StreamContinuity.Look(partitions: keys.count)
        for (index, reply) in try session.send(pipeline).enumerated() {
            if let error = reply.error {
                // Without INFO, which an access list may forbid, ids and counts still tell. A
                // stream that is not there has an error of no class of its own.
                guard error.code == .otherServer || index < 2 else { throw error }
                if index >= 2 { look.added[index - 2] = 0 }
                continue
            }
            if index < 2 {
                look.takeInfo(reply.string ?? "")
            } else {
                look.takeStream(reply, partition: index - 2)
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
