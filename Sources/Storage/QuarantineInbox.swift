import Primitives

/// What is to change in quarantine, handed over by any thread; the writer's thread makes it so
/// with its next batch or `maintain`. Full means refused and counted: nobody waits for room, and a
/// flood of bad events cannot keep the writer from the good ones.
///
/// Who promises something about refused events holds them first, adds them once the others of
/// their body are safe, and then waits until `onKept` tells of the number that `add` returned.
package final class QuarantineInbox: Sendable {
    enum Change: Sendable {
        case add(QuarantineEntry)
        /// These were tried again with success, at this time (milliseconds since 1970).
        case replayed([Int64], at: Int64)
        case delete([Int64])

        var costBytes: Int {
            switch self {
            case .add(let entry): entry.costBytes
            case .replayed(let seqs, _), .delete(let seqs): seqs.count * 8 + 64
            }
        }
    }

    fileprivate struct State {
        var changes: [Change] = []
        /// Of `changes`, and of what is held.
        var bytes = 0
        var dropped: UInt64 = 0
        /// Changes taken since start: the number of the last one.
        var taken: UInt64 = 0
        var kept: UInt64 = 0
        var onKept: [@Sendable (UInt64) -> Void] = []
        /// Refused events that may come at once, in bytes as of `refilled`.
        var allowance = Double(QuarantineInbox.limitBytes)
        var refilled = MonotonicTime.now()
    }

    /// 8 MiB: 32 events of the greatest size, or some 10,000 usual ones, between two batches.
    fileprivate static let limitBytes = 8 << 20
    /// Of refused events a second, after 8 MiB at once: some 7,000 small ones, which cost the
    /// writer about a twentieth of its time.
    fileprivate static let bytesPerSecond = Double(2 << 20)

    private let state = Locked(State())

    /// - Returns: false if the inbox is full; the entry is then gone, and counted.
    @discardableResult
    package func add(_ entry: QuarantineEntry) -> Bool {
        guard hold(entry) else { return false }
        add(held: [entry])
        return true
    }

    /// Makes room for an entry that may be added later. Any thread.
    /// - Returns: false if there is none; the entry is then gone, and counted.
    package func hold(_ entry: QuarantineEntry) -> Bool {
        let (cost, now) = (entry.costBytes, MonotonicTime.now())
        return state.withLock { state in
            state.refill(now)
            guard state.bytes + cost <= QuarantineInbox.limitBytes, state.allowance >= Double(cost)
            else {
                state.dropped += 1
                return false
            }
            state.allowance -= Double(cost)
            state.bytes += cost
            return true
        }
    }

    /// Hands over what was held. Any thread.
    /// - Returns: what `onKept` reaches once all of it is in the store.
    @discardableResult
    package func add(held entries: [QuarantineEntry]) -> UInt64 {
        let changes = entries.map { Change.add($0) }
        return state.withLock { state in
            state.changes += changes
            state.taken += UInt64(changes.count)
            return state.taken
        }
    }

    /// Forgets what was held: it is not refused after all, but its whole body is.
    package func letGo(_ entries: [QuarantineEntry]) {
        let bytes = entries.reduce(0) { $0 + $1.costBytes }
        state.withLock { $0.bytes -= bytes }
    }

    /// Calls `observer` whenever changes are in the store, with the number of the last of them. On
    /// the writer's thread: be quick, and do not call the store.
    package func onKept(_ observer: @escaping @Sendable (UInt64) -> Void) {
        state.withLock { $0.onKept.append(observer) }
    }

    /// Notes that these rows were tried again with success.
    @discardableResult
    package func markReplayed(_ seqs: [Int64], at time: Int64) -> Bool {
        submit(.replayed(seqs, at: time))
    }

    @discardableResult
    package func delete(_ seqs: [Int64]) -> Bool { submit(.delete(seqs)) }

    /// Changes that found the inbox full, since start.
    package var dropped: UInt64 { state.withLock { $0.dropped } }
    package var isEmpty: Bool { state.withLock { $0.changes.isEmpty } }

    private func submit(_ change: Change) -> Bool {
        state.withLock { state in
            let cost = change.costBytes
            guard state.bytes + cost <= QuarantineInbox.limitBytes else {
                state.dropped += 1
                return false
            }
            state.changes.append(change)
            state.taken += 1
            state.bytes += cost
            return true
        }
    }

    /// What waits, in order. It stays counted and first in line until `discard`.
    func pending() -> [Change] { state.withLock { $0.changes } }

    /// Forgets the first `count` changes: they have been committed.
    ///
    /// Under the lock, which event loops need, nothing is counted or freed.
    func discard(_ count: Int) {
        let freed = pending().prefix(count).reduce(0) { $0 + $1.costBytes }
        let (gone, kept, observers) = state.withLock { state in
            let gone = state.changes
            state.changes = Array(gone[count...])
            state.bytes -= freed
            state.kept += UInt64(count)
            return (gone, state.kept, state.onKept)
        }
        withExtendedLifetime(gone) {}
        for observer in observers { observer(kept) }
    }
}

extension QuarantineInbox.State {
    fileprivate mutating func refill(_ now: MonotonicTime) {
        allowance = min(
            Double(QuarantineInbox.limitBytes),
            allowance + now.since(refilled).inSeconds * QuarantineInbox.bytesPerSecond)
        refilled = now
    }
}
