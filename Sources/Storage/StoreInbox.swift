import Primitives

/// One queue of changes that other threads hand to the writer, with tickets to wait for.
///
///     let ticket = inbox.submit(change, costBytes: 200)       // any thread; nil: no room
///     inbox.waitUntilWritten(ticket, deadline: deadline)      // others can read it
///     inbox.waitUntilDurable(ticket, deadline: deadline)      // no power failure takes it away
///
/// DESIGN. A change is *waiting* from its submission until the transaction that carries it out has
/// committed; it is then *written*, and after the next complete checkpoint *durable*. Changes are
/// carried out in order and never apart: `drain` takes all that wait in one transaction, and what
/// fails stays first in line. Nobody waits for room: a submission that finds none is refused.
///
/// Room is counted in bytes, in *rooms* that are bounded each for itself, so that one kind of
/// submitter cannot keep another kind out. Bytes can be reserved before the change is known to be
/// wanted. A single change that is larger than its room is taken while that room is empty.
///
/// A part that hands work to the writer owns an inbox, adds a `StoreChore` that drains it, and names
/// its rooms.
package final class StoreInbox<Change: Sendable>: Sendable {
    private struct Waiting {
        var change: Change
        var costBytes: Int
        var room: Int
    }

    private struct Room {
        let limitBytes: Int
        /// Of what waits and of what is reserved.
        var usedBytes = 0

        func admits(_ costBytes: Int) -> Bool {
            usedBytes == 0 || usedBytes + costBytes <= limitBytes
        }
    }

    private struct State {
        var rooms: [Room]
        var waiting: [Waiting] = []
        /// Changes taken since start: the number of the last one is its ticket.
        var submitted: UInt64 = 0
        var written: UInt64 = 0
        /// As of the last complete checkpoint.
        var durable: UInt64 = 0
        var observers: [@Sendable (UInt64) -> Void] = []

        /// - Returns: the ticket of the last of them.
        mutating func append(_ changes: [Waiting]) -> UInt64 {
            waiting += changes
            submitted += UInt64(changes.count)
            return submitted
        }
    }

    /// Between two looks at whether a wait is still wanted.
    private static var lookInterval: Duration { .milliseconds(50) }

    private let state: Monitor<State>

    /// - Parameter roomLimits: bytes of each room; rooms are named by their index.
    package init(roomLimits: [Int]) {
        state = Monitor(State(rooms: roomLimits.map { Room(limitBytes: $0) }))
    }

    // MARK: Any thread

    /// Hands `change` over.
    /// - Parameter costBytes: what it costs to hold, roughly.
    /// - Returns: its ticket; nil if there is no room at the moment and nothing was taken.
    package func submit(_ change: Change, costBytes: Int, room: Int = 0) -> UInt64? {
        state.withLock { state -> UInt64? in
            guard state.rooms[room].admits(costBytes) else { return nil }
            state.rooms[room].usedBytes += costBytes
            return state.append([Waiting(change: change, costBytes: costBytes, room: room)])
        }
    }

    /// Makes room for a change that may be submitted later.
    /// - Returns: false if there is none.
    package func reserve(costBytes: Int, room: Int = 0) -> Bool {
        state.withLock { state in
            guard state.rooms[room].admits(costBytes) else { return false }
            state.rooms[room].usedBytes += costBytes
            return true
        }
    }

    /// Gives back what was reserved and is not needed.
    package func release(costBytes: Int, room: Int = 0) {
        state.withLock { $0.rooms[room].usedBytes -= costBytes }
    }

    /// Hands over changes for which room was reserved.
    /// - Returns: the ticket of the last of them.
    package func submit(
        reserved changes: [(change: Change, costBytes: Int)], room: Int = 0
    ) -> UInt64 {
        let waiting = changes.map {
            Waiting(change: $0.change, costBytes: $0.costBytes, room: room)
        }
        return state.withLock { $0.append(waiting) }
    }

    /// Nothing waits.
    package var isEmpty: Bool { state.withLock { $0.waiting.isEmpty } }

    /// Bytes of the changes that wait.
    /// - Complexity: O(changes that wait).
    package var waitingBytes: Int { state.withLock { $0.waiting.reduce(0) { $0 + $1.costBytes } } }

    /// Whether any change that waits is one of those; asked under the lock, so be quick.
    package func contains(where isWanted: (Change) -> Bool) -> Bool {
        state.withLock { $0.waiting.contains { isWanted($0.change) } }
    }

    /// Waits until what the ticket stands for is committed.
    /// - Parameter isCancelled: asked every 50 ms, on this thread.
    /// - Returns: false if the deadline passed first, or the wait was cancelled.
    package func waitUntilWritten(
        _ ticket: UInt64, deadline: Deadline, isCancelled: () -> Bool = { false }
    ) -> Bool {
        wait(until: deadline, isCancelled) { $0.written >= ticket }
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

    /// Calls `observer` whenever changes have been committed, with the ticket of the last of them.
    /// On the writer's thread: be quick, and do not call the store.
    package func onWritten(_ observer: @escaping @Sendable (UInt64) -> Void) {
        state.withLock { $0.observers.append(observer) }
    }

    private func wait(
        until deadline: Deadline, _ isCancelled: () -> Bool, for ready: (State) -> Bool
    ) -> Bool {
        while true {
            let look = Deadline.after(StoreInbox.lookInterval)
            let isReady = state.wait(
                until: min(look, deadline), for: { ready($0) }, then: { _ in true })
            if isReady == true { return true }
            if deadline.hasPassed || isCancelled() { return false }
        }
    }

    // MARK: The writer's thread

    /// Carries out all that waits, in one transaction. What fails waits for the next time.
    /// - Parameter committed: called after the commit, before anybody is told of it.
    func drain(
        _ writer: StoreWriter,
        _ apply: ([Change], inout StoreCounters) throws(StorageError) -> Void,
        committed: () -> Void = {}
    ) throws(StorageError) {
        let waiting = state.withLock { $0.waiting }
        guard !waiting.isEmpty else { return }
        try writer.transact { (counters) throws(StorageError) in
            try apply(waiting.map(\.change), &counters)
        }
        committed()
        forget(waiting)
    }

    /// Everything written so far is safe from a power failure.
    func becomeDurable() {
        state.change { $0.durable = $0.written }
    }

    /// Takes what has been committed out of the line. Under the lock, which event loops need,
    /// nothing is counted or freed.
    private func forget(_ gone: [Waiting]) {
        let roomCount = state.withLock { $0.rooms.count }
        var freed = Array(repeating: 0, count: roomCount)
        for change in gone { freed[change.room] += change.costBytes }
        let (old, written, observers) = state.change { [freed] state in
            let old = state.waiting
            state.waiting = Array(old[gone.count...])
            for room in freed.indices { state.rooms[room].usedBytes -= freed[room] }
            state.written += UInt64(gone.count)
            return (old, state.written, state.observers)
        }
        withExtendedLifetime(old) {}
        for observer in observers { observer(written) }
    }
}
