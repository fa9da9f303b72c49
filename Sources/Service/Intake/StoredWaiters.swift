import Primitives
import Storage

/// Requests that want to be answered once their events are visible to `/query`.
///
/// The store's commits wake them; one thread looks after their deadlines.
final class StoredWaiters: Sendable {
    private struct Waiter {
        let position: UInt64
        let deadline: Deadline
        let done: @Sendable (Bool) -> Void
    }

    private struct State {
        var waiters: [Waiter] = []
        var stored: UInt64 = 0
        var isClosed = false
    }

    private let state: Monitor<State>
    private let thread: Thread

    init(stored: UInt64) {
        let state = Monitor(State(stored: stored))
        self.state = state
        thread = Thread(name: "ack") { StoredWaiters.watch(state) }
    }

    /// Calls `done(true)` once the store has applied `position`, or `done(false)` at `deadline`.
    /// Any thread; `done` runs on another.
    func add(_ position: UInt64, _ deadline: Deadline, _ done: @escaping @Sendable (Bool) -> Void) {
        state.change { state in
            state.waiters.append(Waiter(position: position, deadline: deadline, done: done))
        }
    }

    /// The store has applied everything up to `position`.
    func stored(_ position: UInt64) {
        let isAwaited = state.withLock { state in
            state.stored = max(state.stored, position)
            return !state.waiters.isEmpty
        }
        if isAwaited { state.change { _ in } }
    }

    /// Answers all that still wait with the level they have, and ends the thread.
    func close() {
        state.change { $0.isClosed = true }
        thread.join()
    }

    private static func watch(_ state: Monitor<State>) {
        while true {
            // Together, or a waiter that came in between would be counted but not timed.
            let (nearest, count) = state.withLock { state in
                (state.waiters.map(\.deadline).min() ?? .never, state.waiters.count)
            }
            let isRipe: (inout State) -> Bool = { state in
                state.isClosed || state.waiters.count > count
                    || state.waiters.contains { $0.position <= state.stored }
            }
            _ = state.wait(until: nearest, for: isRipe, then: { _ in })
            let (ripe, stored, isClosed) = takeRipe(state)
            for waiter in ripe { waiter.done(waiter.position <= stored) }
            if isClosed { return }
        }
    }

    private static func takeRipe(_ state: Monitor<State>) -> ([Waiter], UInt64, Bool) {
        let now = Deadline(.now())
        return state.withLock { state in
            let (stored, isClosed) = (state.stored, state.isClosed)
            func isRipe(_ waiter: Waiter) -> Bool {
                isClosed || waiter.position <= stored || waiter.deadline <= now
            }
            let ripe = state.waiters.filter(isRipe)
            state.waiters.removeAll(where: isRipe)
            return (ripe, stored, isClosed)
        }
    }
}
