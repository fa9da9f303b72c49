import Primitives
import Resilience
import Telemetry

/// The only way to a Redis: every call goes through its lane's breaker and ends by its deadline.
/// Calls block, so they are made on threads of our own. Any thread.
///
/// For a cluster it talks to the first endpoint only; MOVED and ASK come back as errors.
package final class GuardedRedis: Sendable {
    package let url: RedisURL
    private let lanes: [GuardedLane]
    private let prober: RedisProber
    private let retryBudget = RetryBudget()

    /// The most that a request waits for one call.
    package static let requestLimit: Duration = .milliseconds(250)

    /// Connects to nothing yet: the first call of a lane does.
    /// - Parameters:
    ///   - clientName: shown by `CLIENT LIST`, followed by the lane.
    ///   - observer: told of each change of a breaker, on the thread that caused it.
    package init(
        _ url: RedisURL, lanes: [RedisLane] = RedisLane.allCases, clientName: String,
        options: (RedisLane) -> RedisLaneOptions = RedisLaneOptions.standard,
        logger: Logger, observer: @escaping @Sendable (BreakerChange) -> Void = { _ in }
    ) {
        self.url = url
        let signal = Monitor(RedisProber.Signal())
        let endpoint = url.endpoints[0].description
        let guarded = lanes.map { lane in
            GuardedLane(
                lane, options(lane),
                connector: RedisConnector(url, clientName: "\(clientName)-\(lane.rawValue)"),
                wakeProber: { signal.change { $0.isRaised = true } },
                observer: { change, error in
                    GuardedRedis.log(change, error, endpoint, logger)
                    observer(change)
                })
        }
        self.lanes = guarded
        prober = RedisProber(
            guarded, connector: RedisConnector(url, clientName: "\(clientName)-probe"),
            signal: signal)
    }

    deinit { close() }

    /// Runs `body` with a connection of that lane. What `body` sends may have been carried out even
    /// if the call fails. `body` must not call the same lane: it could wait for itself.
    ///
    /// An error reply of a pipeline is not thrown; LOADING, READONLY and their like count against
    /// the breaker whether `body` looks at them or not.
    /// - Parameter waitAllowance: the BLOCK time of a blocking read. The deadline lies beyond it;
    ///   the call is slow only if it takes longer than both this and the breaker's limit.
    /// - Parameter isQuestion: it only asks what a Redis answers that refuses all work: a replica,
    ///   say, or one that cannot save. That it was answered then says nothing, and counted as
    ///   success, one question for each refusal would keep the breaker closed for ever.
    /// - Throws: `.breakerOpen`, `.poolExhausted` or `.closed` before anything is sent; what
    ///   connecting, sending and `body` throw.
    package func call<Result>(
        _ lane: RedisLane, deadline: Deadline, waitAllowance: Duration = .zero,
        isQuestion: Bool = false,
        _ body: (borrowing RedisSession) throws(RedisError) -> Result
    ) throws(RedisError) -> Result {
        try guarded(lane).call(
            deadline, at: .now(), waitAllowance: waitAllowance, isQuestion: isQuestion, body)
    }

    /// As above, with a deadline that lies `limit` beyond now and the allowed wait. The breaker
    /// shares its reading of the clock, which costs more than the breaker itself.
    package func call<Result>(
        _ lane: RedisLane, within limit: Duration, waitAllowance: Duration = .zero,
        isQuestion: Bool = false,
        _ body: (borrowing RedisSession) throws(RedisError) -> Result
    ) throws(RedisError) -> Result {
        let now = MonotonicTime.now()
        return try guarded(lane).call(
            Deadline(now + limit + waitAllowance), at: now, waitAllowance: waitAllowance,
            isQuestion: isQuestion, body)
    }

    /// As `call`, for what is safe to repeat: up to three attempts, a short random wait before each
    /// further one, as long as there is time and the retry budget lasts.
    package func callRepeating<Result>(
        _ lane: RedisLane, deadline: Deadline,
        _ body: (borrowing RedisSession) throws(RedisError) -> Result
    ) throws(RedisError) -> Result {
        var attempts = 0
        while true {
            do {
                return try guarded(lane).call(
                    deadline, at: .now(), waitAllowance: .zero, isQuestion: false, body)
            } catch {
                attempts += 1
                guard error.code.isTransient,
                    let delay = RetryPolicy.request.delay(
                        afterAttempts: attempts, deadline: deadline, budget: retryBudget,
                        at: .now())
                else { throw error }
                sleep(until: .after(delay))
            }
        }
    }

    /// The deadline of one call made for a request: 250 ms from now, or what the request has left.
    package static func requestDeadline(within deadline: Deadline) -> Deadline {
        min(deadline, .after(requestLimit))
    }

    /// The breaker of a lane, for `/status` and for operators.
    package func breaker(_ lane: RedisLane) -> CircuitBreaker { guarded(lane).breaker }

    /// The lanes it was made with, in that order, as `/status` and `/metrics` show them.
    package var status: [RedisLaneStatus] {
        let now = MonotonicTime.now()
        return lanes.map { lane in
            let connections = lane.pool.counts
            return RedisLaneStatus(
                lane: lane.lane, breaker: lane.breaker.snapshot(at: now),
                idleConnections: connections.idle, lentConnections: connections.lent,
                failureCount: lane.failures.count, lastError: lane.lastError.withLock { $0 },
                durations: lane.durations)
        }
    }

    /// Connections made for calls of a lane since the start, or of all lanes. Within a call its own
    /// is counted: while the number stays, so do the servers that answer.
    package func connectionsMade(_ lane: RedisLane) -> UInt64 { guarded(lane).connections.count }
    package var connectionsMade: UInt64 {
        lanes.reduce(0) { $0 + $1.connections.count }
    }

    /// Refuses new calls, closes idle connections and ends the probe. Calls under way finish.
    package func close() {
        prober.close()
        for lane in lanes { lane.pool.close() }
    }

    private func guarded(_ lane: RedisLane) -> GuardedLane {
        guard let guarded = lanes.first(where: { $0.lane == lane }) else {
            preconditionFailure("this Redis was not set up for \(lane.rawValue)")
        }
        return guarded
    }

    private static func log(
        _ change: BreakerChange, _ error: RedisError?, _ endpoint: String, _ logger: Logger
    ) {
        logger.log(change, "redis breaker changed", lastError: error?.description ?? "") {
            $0.add("breaker", change.name)
            $0.add("endpoint", endpoint)
        }
    }
}

/// What is to be said of one lane.
package struct RedisLaneStatus: Sendable {
    package let lane: RedisLane
    package let breaker: BreakerSnapshot
    package let idleConnections: Int
    package let lentConnections: Int
    /// Calls that counted as failures, since the start.
    package let failureCount: UInt64
    /// What a call or a check failed with last; kept after recovery.
    package let lastError: RedisError?
    /// Of all calls that reached Redis or tried to.
    package let durations: Histogram
}
