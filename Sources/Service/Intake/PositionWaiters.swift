import Primitives
import Storage

/// Requests that want to be answered once their events have come further than the journal: into
/// the store, or to Redis; an instance for each.
///
/// The writer or the forwarder wakes them; one thread answers those whose deadline passes.
final class PositionWaiters: Sendable {
    private struct Waiter {
        let position: UInt64
        let deadline: Deadline
        let done: @Sendable (Bool) -> Void
    }

    private struct State {
        var waiters: [Waiter] = []
        var reached: UInt64 = 0
        var isClosed = false
    }

    private let state: Monitor<State>
    private let thread: Thread

    init(reached: UInt64) {
        let state = Monitor(State(reached: reached))
        self.state = state
        thread = Thread(name: "ack") { PositionWaiters.watch(state) }
    }

    /// Calls `done(true)` once `position` is reached, or `done(false)` at `deadline`.
    /// Any thread; `done` runs on another.
    func add(_ position: UInt64, _ deadline: Deadline, _ done: @escaping @Sendable (Bool) -> Void) {
        state.change { state in
            state.waiters.append(Waiter(position: position, deadline: deadline, done: done))
        }
    }

    /// Everything up to `position` has come there.
    func reached(_ position: UInt64) {
        let isAwaited = state.withLock { state in
            state.reached = max(state.reached, position)
            return !state.waiters.isEmpty
        }
        if isAwaited { state.change { _ in } }
    }

    /// Whether everything up to `position` has come there.
    func has(_ position: UInt64) -> Bool { state.withLock { $0.reached >= position } }

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
                    || state.waiters.contains { $0.position <= state.reached }
            }
            _ = state.wait(until: nearest, for: isRipe, then: { _ in })
            let (ripe, reached, isClosed) = takeRipe(state)
            for waiter in ripe { waiter.done(waiter.position <= reached) }
            if isClosed { return }
        }
    }

    private static func takeRipe(_ state: Monitor<State>) -> ([Waiter], UInt64, Bool) {
        let now = Deadline(.now())
        return state.withLock { state in
            let (reached, isClosed) = (state.reached, state.isClosed)
            func isRipe(_ waiter: Waiter) -> Bool {
                isClosed || waiter.position <= reached || waiter.deadline <= now
            }
            let ripe = state.waiters.filter(isRipe)
            state.waiters.removeAll(where: isRipe)
            return (ripe, reached, isClosed)
        }
    }
}
