import Primitives

/// What is to change in quarantine, handed over by any thread; the writer's thread makes it so
/// with its next batch or `maintain`. Nobody waits: full means refused and counted.
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

    private struct State {
        var changes: [Change] = []
        var bytes = 0
        var dropped: UInt64 = 0
    }

    /// 8 MiB: 32 events of the greatest size, or some 10,000 usual ones, between two batches.
    private static let limitBytes = 8 << 20

    private let state = Locked(State())

    /// - Returns: false if the inbox is full; the entry is then gone, and counted.
    @discardableResult
    package func add(_ entry: QuarantineEntry) -> Bool { submit(.add(entry)) }

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
        let gone = state.withLock { state in
            let gone = state.changes
            state.changes = Array(gone[count...])
            state.bytes -= freed
            return gone
        }
        withExtendedLifetime(gone) {}
    }
}
