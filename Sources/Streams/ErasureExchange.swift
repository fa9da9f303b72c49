import EventCoding
import Primitives
import Redis
import Storage

/// How nodes tell each other of erasures, and which events that still come from others are meant.
///
/// DESIGN. A hash in Redis, `millrace:{0}:erasures`, is a set that only grows. It holds each erasure,
/// without the words it was asked with, and under `ID NODE` the *end* of each node that knows of it: the
/// last ids that the streams had given when that node had sent all that it took before it knew. It never
/// moves. A node that finds something missing adds it: so a Redis that lost its data gets all of it back,
/// and a node that was away for hours finds all of it there. After each change a count grows, which
/// consumers read with every batch.
///
/// What decides over an event is when *its* node took it. A node has accepted it before it knew of the
/// erasure exactly if the entry is not beyond that node's end:
///
///     entry of node N:   N has no end yet, or entry <= end of N     erased, the identity is kept
///                        entry > end of N                           stored
///
/// A consumer looks at the count after it has read and before it hands anything on. A forwarder stops at
/// the last record that was taken before, adds its node's end, and only then sends on, the rows of an
/// outage included. So who has read an entry beyond an end also knows the end.
///
/// Any thread.
final class ErasureExchange: Sendable {
    private struct State {
        /// Those in force, as of `epoch`.
        var inForce: [Erasure] = []
        var epoch: UInt64 = 0
        /// Of erasures, by node.
        var ends: [String: [String: [StreamEntryID]]] = [:]
        /// By node: what no erasure in force is about lies beyond. Nil while one has no end.
        var horizons: [String: [StreamEntryID]?] = [:]
        /// As it was when all of the hash was read last; nil before that.
        var count: String?
        /// Erasures that are not in the hash, or without this node's end.
        var unannounced: Set<String> = []
        /// Up to this record some erasure in force is about events that were sent.
        var greatestBarrier: UInt64 = 0
        /// The hash was read since the start, and since Redis was last known to have lost data.
        var hasRead = false
        /// Too old to be kept in Redis.
        var expired: [String] = []
    }

    /// What Redis had.
    struct Reading {
        /// Erasures that this node does not know.
        var unknown: [Erasure]
        fileprivate var count: String
    }

    private static let hash = "millrace:{0}:erasures"
    /// What consumers read with every batch.
    static let countKey = "millrace:{0}:erasures:count"

    /// Nodes whose horizons are known at a time.
    private static let horizonLimit = 1024

    /// For how long an erasure is kept in Redis, and so how long a node may be away and still hear of
    /// it.
    static let keptTime = Duration.seconds(90 * 86_400)

    /// For how long it stays in Redis beyond that, in milliseconds: nodes that still have it in force
    /// would put it there again.
    private static let grace: Int64 = 86_400_000

    /// What was ordered before is forgotten, milliseconds since 1970.
    private static var oldest: Int64 { WallClock.nowMilliseconds() - keptTime.wholeMilliseconds }

    private let node: String
    private let book: ErasureBook
    private let state = Monitor(State())

    init(node: String, book: ErasureBook) {
        self.node = node
        self.book = book
    }

    // MARK: Events of others

    /// What is to be erased of an entry.
    /// - Parameter origin: the entry's field; nil for one that no node of ours wrote, which is judged
    ///   as if the node had written it that was asked to erase.
    func filter(
        origin: UnsafeRawBufferPointer?, partition: Int, _ entry: StreamEntryID
    ) -> ErasureFilter? {
        let epoch = book.epoch
        guard epoch > 0 else { return nil }
        return state.withLock { state -> ErasureFilter? in
            refresh(&state, epoch)
            guard !state.inForce.isEmpty else { return nil }
            let sender = StreamOrigin.node(origin)
            if let horizon = horizon(of: sender ?? "", &state), partition < horizon.count,
                entry > horizon[partition]
            {
                return nil
            }
            let matchers = state.inForce.compactMap { erasure -> ErasureMatcher? in
                let ends = state.ends[erasure.id]?[sender ?? erasure.node]
                if let ends, partition >= ends.count || entry > ends[partition] { return nil }
                return erasure.matcher
            }
            return matchers.isEmpty ? nil : ErasureFilter(matchers)
        }
    }

    private func refresh(_ state: inout State, _ epoch: UInt64) {
        guard state.epoch != epoch else { return }
        state.epoch = epoch
        let oldest = ErasureExchange.oldest
        state.inForce = book.erasures.filter { $0.matcher != nil && $0.requested >= oldest }
        state.horizons = [:]
        state.greatestBarrier = state.inForce.map(\.barrier).max() ?? 0
        for erasure in state.inForce where state.ends[erasure.id]?[node] == nil {
            state.unannounced.insert(erasure.id)
        }
    }

    private func horizon(of sender: String, _ state: inout State) -> [StreamEntryID]? {
        if let known = state.horizons[sender] { return known }
        let horizon = ErasureExchange.horizon(of: sender, state)
        if state.horizons.count >= ErasureExchange.horizonLimit { state.horizons = [:] }
        state.horizons[sender] = .some(horizon)
        return horizon
    }

    private static func horizon(of sender: String, _ state: State) -> [StreamEntryID]? {
        var horizon: [StreamEntryID] = []
        for erasure in state.inForce {
            guard let ends = state.ends[erasure.id]?[sender.isEmpty ? erasure.node : sender] else {
                return nil
            }
            for (index, end) in ends.enumerated() {
                if index < horizon.count {
                    let known = horizon[index]
                    horizon[index] = max(known, end)
                } else {
                    horizon.append(end)
                }
            }
        }
        return horizon
    }

    // MARK: Announcing

    /// The last record that was taken before an erasure which is not announced yet; nil without one. The
    /// forwarder's thread asks before it sends.
    var barrier: UInt64? {
        let epoch = book.epoch
        guard epoch > 0 else { return nil }
        return state.withLock { state in
            refresh(&state, epoch)
            return state.inForce.filter { state.unannounced.contains($0.id) }.map(\.barrier).min()
        }
    }

    /// It is known which ends of this node Redis has. Before that nothing may be sent.
    var isCurrent: Bool {
        let epoch = book.epoch
        guard epoch > 0 else { return true }
        return state.withLock { state in
            refresh(&state, epoch)
            return state.hasRead || state.inForce.isEmpty
        }
    }

    /// What is left out of the record `sequence`; nil for nothing. An end never moves, for entries
    /// beyond it were accepted after the erasure, and others would take those for older ones. So what
    /// was sent before an end and is sent again comes to lie beyond it, and nobody would erase it there.
    func filter(resending sequence: UInt64) -> ErasureFilter? {
        let epoch = book.epoch
        guard epoch > 0 else { return nil }
        return state.withLock { state in
            refresh(&state, epoch)
            guard sequence <= state.greatestBarrier else { return nil }
            let matchers = state.inForce.compactMap { erasure in
                erasure.barrier >= sequence && state.ends[erasure.id]?[node] != nil
                    ? erasure.matcher : nil
            }
            return matchers.isEmpty ? nil : ErasureFilter(matchers)
        }
    }

    /// Something that may be announced is not in Redis, or it is not known.
    /// - Parameter position: the last record that was sent.
    func mustAnnounce(sent position: UInt64) -> Bool {
        if !isCurrent { return true }
        if let barrier, barrier <= position { return true }
        return state.withLock { state in
            !state.expired.isEmpty
                || state.inForce.contains {
                    state.unannounced.contains($0.id) && state.ends[$0.id]?[node] != nil
                }
        }
    }

    /// Redis has lost data, maybe erasures and ends too.
    func announceAgain() {
        state.change { state in
            state.hasRead = false
            for erasure in state.inForce { state.unannounced.insert(erasure.id) }
        }
    }

    /// Adds what Redis does not have.
    /// - Parameters:
    ///   - position: the last record that was sent.
    ///   - ends: the last ids of the streams.
    func announce(
        sent position: UInt64, ends: [StreamEntryID], _ session: borrowing RedisSession
    ) throws(RedisError) {
        if !isCurrent {
            _ = try read(session)
            state.change { $0.hasRead = true }
        }
        let (erasures, known, expired) = state.withLock { state in
            let erasures = state.inForce.filter { erasure in
                state.unannounced.contains(erasure.id)
                    && (erasure.barrier <= position || state.ends[erasure.id]?[node] != nil)
            }
            return (erasures, erasures.map { state.ends[$0.id]?[node] }, state.expired)
        }
        if erasures.isEmpty, expired.isEmpty { return }
        var pipeline = RedisPipeline()
        for (erasure, known) in zip(erasures, known) {
            // Where an emptied Redis gives lower ids than it did, what comes now lies above those.
            let end = known.map { zip($0, ends).map { min($0, $1) } } ?? ends
            let text = end.map(\.description).joined(separator: ",")
            pipeline.command(
                "HSETNX", ErasureExchange.hash, erasure.id, ErasureExchange.text(erasure))
            pipeline.command("HSETNX", ErasureExchange.hash, "\(erasure.id) \(node)", text)
        }
        for field in expired { pipeline.command("HDEL", ErasureExchange.hash, field) }
        pipeline.command("INCR", ErasureExchange.countKey)
        for reply in try session.send(pipeline) {
            if let error = reply.error { throw error }
        }
        state.change { state in
            for erasure in erasures { state.unannounced.remove(erasure.id) }
            state.expired = []
        }
        // The count is left as it is: what is new is for the consumer to learn.
        _ = try read(session)
    }

    /// Waits until this node's end is in Redis: then all that it has sent and must be erased lies
    /// before it.
    /// - Returns: this node's end; nil if the deadline passed first.
    func waitUntilAnnounced(_ id: String, deadline: Deadline) -> [StreamEntryID]? {
        let end = state.wait(until: deadline) { state in
            state.ends[id]?[node] != nil && !state.unannounced.contains(id)
        } then: { state in
            state.ends[id]?[node]
        }
        return end ?? nil
    }

    // MARK: Reading

    /// - Parameter count: what Redis has under `countKey`; nil for nothing.
    func isNews(_ count: String?) -> Bool { state.withLock { $0.count != count ?? "" } }

    /// What was read has been acted upon.
    func learned(_ reading: Reading) { state.withLock { $0.count = reading.count } }

    /// Reads all that Redis has. An end that it no longer has still holds: it is announced again.
    func read(_ session: borrowing RedisSession) throws(RedisError) -> Reading {
        var pipeline = RedisPipeline()
        // The count first: what is added between the two is then read once more, and not missed.
        pipeline.command("GET", ErasureExchange.countKey)
        pipeline.command("HGETALL", ErasureExchange.hash)
        let (count, fields) = try ErasureExchange.fields(try session.send(pipeline))
        let epoch = book.epoch
        let oldest = ErasureExchange.oldest
        return state.change { state -> Reading in
            refresh(&state, epoch)
            state.inForce.removeAll { $0.requested < oldest }
            let known = state.ends
            (state.ends, state.horizons, state.expired) = ([:], [:], [])
            var reading = Reading(unknown: [], count: count)
            var found: Set<String> = []
            for (name, value) in fields {
                let parts = name.split(separator: " ", maxSplits: 1).map(String.init)
                if parts.count == 2 {
                    state.ends[parts[0], default: [:]][parts[1]] =
                        value.split(separator: ",").map { StreamEntryID($0) ?? .zero }
                    continue
                }
                guard let erasure = ErasureExchange.erasure(name, value) else { continue }
                found.insert(name)
                if erasure.requested < oldest {
                    // Not before every node has let go of it, whatever its clock says.
                    guard erasure.requested < oldest - ErasureExchange.grace else { continue }
                    state.expired += fields.map { $0.0 }.filter { $0.hasPrefix(name) }
                } else if book.erasure(name) == nil {
                    reading.unknown.append(erasure)
                }
            }
            for erasure in state.inForce
            where !found.contains(erasure.id)
                || state.ends[erasure.id]?[node] == nil
            {
                state.unannounced.insert(erasure.id)
            }
            for erasure in state.inForce {
                state.ends[erasure.id, default: [:]].merge(known[erasure.id] ?? [:]) {
                    (found, _) in found
                }
            }
            return reading
        }
    }

    private static func fields(
        _ replies: RedisReplies
    ) throws(RedisError) -> (count: String, fields: [(String, String)]) {
        for reply in replies { if let error = reply.error { throw error } }
        let texts = replies[1]?.elements.map { $0.string ?? "" } ?? []
        let pairs = stride(from: 0, to: texts.count - 1, by: 2).map { (texts[$0], texts[$0 + 1]) }
        return (replies[0]?.string ?? "", pairs)
    }

    /// Without a word of what is asked for.
    private static func text(_ erasure: Erasure) -> String {
        let matcher = Base64URL.encode(erasure.matcher?.encoded ?? [])
        return "\(erasure.requested) \(erasure.node) \(erasure.conditions) \(matcher)"
    }

    private static func erasure(_ id: String, _ text: String) -> Erasure? {
        let parts = text.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 4, let requested = Int64(parts[0]),
            let bytes = Base64URL.decode(parts[3]), let matcher = ErasureMatcher(decoding: bytes)
        else { return nil }
        return Erasure(
            id: id, requested: requested, node: parts[1], conditions: parts[2], matcher: matcher)
    }
}
