import Primitives

/// The connections of one lane: at most `limit`, made when they are needed, the one used last taken
/// first. Any thread.
final class RedisPool: Sendable {
    private struct State {
        var idle: [RedisConnection] = []
        var lentCount = 0
        var isClosed = false
    }

    /// What `take` found.
    enum Slot {
        case idle(RedisConnection)
        /// Leave to make a connection; it counts as lent.
        case empty
    }

    private let limit: Int
    private let state = Monitor(State())

    init(limit: Int) {
        precondition(limit > 0)
        self.limit = limit
    }

    var counts: (idle: Int, lent: Int) { state.withLock { ($0.idle.count, $0.lentCount) } }

    /// Borrows a connection, or the leave to make one; then `giveBack`. Waits while all are lent.
    /// - Parameter didWait: set if another caller had to finish first.
    /// - Throws: `.poolExhausted` at the deadline, `.closed`.
    func take(_ deadline: Deadline, didWait: inout Bool) throws(RedisError) -> Slot {
        var waited = false
        let slot = state.wait(
            until: deadline,
            for: { state in
                let isReady = state.isClosed || state.lentCount < limit
                if !isReady { waited = true }
                return isReady
            },
            then: { state -> Slot? in
                if state.isClosed { return nil }
                state.lentCount += 1
                return state.idle.popLast().map { .idle($0) } ?? .empty
            })
        didWait = waited
        guard let slot else {
            throw RedisError(.poolExhausted, "all \(limit) connections were busy")
        }
        guard let slot else { throw RedisError(.closed, "the pool is closed") }
        return slot
    }

    /// Ends a loan. A connection that cannot be used again is passed as nil and dropped by the
    /// caller.
    func giveBack(_ connection: RedisConnection?) {
        state.change { state in
            state.lentCount -= 1
            if let connection, !state.isClosed { state.idle.append(connection) }
        }
    }

    /// Drops the idle connections: what is behind them is gone.
    func removeIdle() {
        let dropped = state.withLock { state -> [RedisConnection] in
            defer { state.idle = [] }
            return state.idle
        }
        // Closing is a system call, which the lock must not wait for.
        _ = consume dropped
    }

    /// Refuses all later loans; those out are dropped when they come back.
    func close() {
        state.change { $0.isClosed = true }
        removeIdle()
    }
}
