import Primitives

/// What is to change in quarantine, handed over by any thread; the writer's thread makes it so
/// with its next batch or `maintain`. Full means refused and counted: nobody waits for room, and a
/// flood of bad events cannot keep the writer from the good ones.
///
/// Who promises something about refused events holds them first, adds them once the others of
/// their body are safe, and then waits until `onKept` tells of the number that `add` returned.
///
/// What was acknowledged to a client before it turned out to be unreadable may have its only copy
/// here. It has room of its own, whatever clients send meanwhile (`settle`), and its source is let
/// go of only when the ticket is reached.
package final class QuarantineInbox: Sendable {
    enum Change: Sendable {
        case add(QuarantineEntry)
        /// In its own room.
        case settle(QuarantineEntry)
        /// These were tried again with success, at this time (milliseconds since 1970).
        case replayed([Int64], at: Int64)
        case delete([Int64])

        var costBytes: Int {
            switch self {
            case .add(let entry), .settle(let entry): entry.costBytes
            case .replayed(let seqs, _), .delete(let seqs): seqs.count * 8 + 64
            }
        }

        var isSettled: Bool {
            if case .settle = self { true } else { false }
        }
    }

    fileprivate struct State {
        var changes: [Change] = []
        /// Of `changes`, and of what is held; without what has its own room.
        var bytes = 0
        /// Of what has its own room.
        var settledBytes = 0
        var dropped: UInt64 = 0
        /// Changes taken since start: the number of the last one.
        var taken: UInt64 = 0
        var kept: UInt64 = 0
        /// As of the last complete checkpoint.
        var durable: UInt64 = 0
        var onKept: [@Sendable (UInt64) -> Void] = []
        /// Refused events that may come at once, in bytes as of `refilled`.
        var allowance = Double(QuarantineInbox.limitBytes)
        var refilled = MonotonicTime.now()
    }

    /// 8 MiB: 32 events of the usual greatest size, or some 10,000 small ones, between two batches.
    /// A single entry that is larger (`--event-limit` may be 16 MiB) is taken when nothing else
    /// waits. Acknowledged entries may have as much again.
    fileprivate static let limitBytes = 8 << 20
    /// Of refused events a second, after 8 MiB at once: some 7,000 small ones, which cost the
    /// writer about a twentieth of its time.
    fileprivate static let bytesPerSecond = Double(2 << 20)

    /// Between two looks at whether a wait is still wanted.
    private static let lookInterval = Duration.milliseconds(50)

    private let state = Monitor(State())

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
            // One above the limit needs all of the allowance, and owes what it takes beyond.
            let needed = Double(min(cost, QuarantineInbox.limitBytes))
            guard hasRoom(for: cost, beside: state.bytes), state.allowance >= needed else {
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

    /// Hands over what was acknowledged upstream: clients' bad events cannot keep it out. Any thread.
    /// - Returns: a ticket for `waitUntilWritten` and `waitUntilDurable`; nil if there is no room at
    ///   the moment and nothing was taken: ask again later.
    package func settle(_ entry: QuarantineEntry) -> UInt64? {
        let cost = entry.costBytes
        return state.withLock { state in
            guard hasRoom(for: cost, beside: state.settledBytes) else { return nil }
            state.changes.append(.settle(entry))
            state.settledBytes += cost
            state.taken += 1
            return state.taken
        }
    }

    /// Waits until what the ticket stands for is committed.
    /// - Parameter isCancelled: asked every 50 ms, on this thread.
    /// - Returns: false if the deadline passed first, or the wait was cancelled.
    package func waitUntilWritten(
        _ ticket: UInt64, deadline: Deadline, isCancelled: () -> Bool = { false }
    ) -> Bool {
        wait(until: deadline, isCancelled) { $0.kept >= ticket }
    }

    /// Waits until no power failure takes away what the ticket stands for: for the next complete
    /// checkpoint, some 2 s.
    /// - Parameter isCancelled: asked every 50 ms, on this thread.
    /// - Returns: false if the deadline passed first, or the wait was cancelled.
    package func waitUntilDurable(
        _ ticket: UInt64, deadline: Deadline, isCancelled: () -> Bool = { false }
    ) -> Bool {
        wait(until: deadline, isCancelled) { $0.durable >= ticket }
    }

    private func wait(
        until deadline: Deadline, _ isCancelled: () -> Bool, for ready: (State) -> Bool
    ) -> Bool {
        while true {
            let look = Deadline.after(QuarantineInbox.lookInterval)
            let isReady = state.wait(
                until: min(look, deadline), for: { ready($0) }, then: { _ in true })
            if isReady == true { return true }
            if deadline.hasPassed || isCancelled() { return false }
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
            guard hasRoom(for: cost, beside: state.bytes) else {
                state.dropped += 1
                return false
            }
            state.changes.append(change)
            state.taken += 1
            state.bytes += cost
            return true
        }
    }

    private func hasRoom(for cost: Int, beside bytes: Int) -> Bool {
        bytes == 0 || bytes + cost <= QuarantineInbox.limitBytes
    }

    /// What waits, in order. It stays counted and first in line until `discard`.
    func pending() -> [Change] { state.withLock { $0.changes } }

    /// Forgets the first `count` changes: they have been committed.
    ///
    /// Under the lock, which event loops need, nothing is counted or freed.
    func discard(_ count: Int) {
        var (freed, freedSettled) = (0, 0)
        for change in pending().prefix(count) {
            if change.isSettled {
                freedSettled += change.costBytes
            } else {
                freed += change.costBytes
            }
        }
        let (gone, kept, observers) = state.change { [freed, freedSettled] state in
            let gone = state.changes
            state.changes = Array(gone[count...])
            state.bytes -= freed
            state.settledBytes -= freedSettled
            state.kept += UInt64(count)
            return (gone, state.kept, state.onKept)
        }
        withExtendedLifetime(gone) {}
        for observer in observers { observer(kept) }
    }

    /// Everything committed so far is safe from a power failure.
    func becomeDurable() {
        state.change { $0.durable = $0.kept }
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
