import Primitives
import Resilience
import Telemetry
internal import Synchronization

/// One lane: its breaker, its connections, and the one place where the two meet. Any thread.
final class GuardedLane: Sendable {
    let lane: RedisLane
    let breaker: CircuitBreaker
    let pool: RedisPool
    let durations = Histogram()
    let failures = Counter()
    /// Connections made since the start.
    let connections = Counter()
    /// What a call or a check failed with last; kept after recovery.
    let lastError: Locked<RedisError?>
    private let connector: RedisConnector
    private let suspicion = Atomic<Bool>(false)
    private let wakeProber: @Sendable () -> Void

    init(
        _ lane: RedisLane, _ options: RedisLaneOptions, connector: RedisConnector,
        wakeProber: @escaping @Sendable () -> Void,
        observer: @escaping @Sendable (BreakerChange, RedisError?) -> Void
    ) {
        self.lane = lane
        self.connector = connector
        self.wakeProber = wakeProber
        let pool = RedisPool(limit: options.connectionLimit)
        self.pool = pool
        let lastError = Locked<RedisError?>(nil)
        self.lastError = lastError
        breaker = CircuitBreaker(name: lane.rawValue, options: options.breaker) { change in
            // What was open before an outage is dead or stuck after it.
            if change.to == .open { pool.removeIdle() }
            observer(change, lastError.withLock { $0 })
            wakeProber()
        }
    }

    /// A call ended its connection, so the prober checks the endpoint at once: with one caller and
    /// a timeout of 250 ms, five failures in a row alone would take longer than a second.
    var isSuspect: Bool { suspicion.load(ordering: .relaxed) }
    func note(_ error: RedisError) { lastError.withLock { $0 = error } }
    func clearSuspicion() { suspicion.store(false, ordering: .relaxed) }

    /// Runs `body` with a connection, if the breaker lets it, and tells the breaker what the
    /// connection saw: what the caller makes of it, how long it takes for that, or what it throws,
    /// does not matter.
    /// - Parameter now: when the call begins.
    func call<Result>(
        _ deadline: Deadline, at now: MonotonicTime, waitAllowance: Duration, isQuestion: Bool,
        _ body: (borrowing RedisSession) throws(RedisError) -> Result
    ) throws(RedisError) -> Result {
        guard var permit = breaker.admit(at: now, waitAllowance: waitAllowance) else {
            throw RedisError(.breakerOpen, "the breaker \(breaker.name) is open")
        }
        let connection = try borrow(deadline, &permit)
        defer { finish(connection, permit, isQuestion: isQuestion) }
        do {
            return try body(RedisSession(connection, deadline: deadline))
        } catch {
            if error.code.endsConnection || error.code.isServerFailure { note(error) }
            throw error
        }
    }

    /// - Throws: after the permit has been settled.
    private func borrow(
        _ deadline: Deadline, _ permit: inout BreakerPermit
    ) throws(RedisError) -> RedisConnection {
        var didWait = false
        let slot: RedisPool.Slot
        do {
            slot = try pool.take(deadline, didWait: &didWait)
        } catch {
            breaker.giveBack(permit)  // Our own want of connections says nothing of Redis.
            throw error
        }
        if didWait { permit.startedAt = .now() }
        if case .idle(let connection) = slot, !connection.isStale {
            connection.beginCall()
            return connection
        }
        do {
            let connection = try connector.connect(deadline)
            connections.add()
            return connection
        } catch {
            pool.giveBack(nil)
            note(error)
            record(permit, .connectionFailure)
            throw error
        }
    }

    private func finish(
        _ connection: RedisConnection, _ permit: BreakerPermit, isQuestion: Bool
    ) {
        var permit = permit
        if !connection.isBroken, let answeredAt = connection.answeredAt {
            // What came after the last answer was the caller's own work: a read of thousands of
            // events, say, is decoded within the call.
            permit.startedAt = permit.startedAt + MonotonicTime.now().since(answeredAt)
        }
        let outcome: BreakerOutcome? =
            if !connection.hasSent {
                nil
            } else if connection.isBroken {
                .connectionFailure
            } else {
                connection.serverFailure == nil ? .success : .failure
            }
        let isUsable =
            !connection.isBroken && connection.serverFailure?.code.asksForNewConnection != true
        // A caller that reads replies one by one has not thrown this error.
        if let failure = connection.serverFailure { note(failure) }
        // From here on another thread may be using it.
        pool.giveBack(isUsable ? connection : nil)
        if let outcome, !(isQuestion && outcome == .success) {
            record(permit, outcome)
        } else {
            breaker.giveBack(permit)
        }
    }

    private func record(_ permit: BreakerPermit, _ outcome: BreakerOutcome) {
        let now = MonotonicTime.now()
        durations.observe(now.since(permit.startedAt))
        breaker.record(permit, outcome, at: now)
        if outcome != .success { failures.add() }
        if outcome == .connectionFailure, !suspicion.exchange(true, ordering: .relaxed) {
            wakeProber()
        }
    }
}
