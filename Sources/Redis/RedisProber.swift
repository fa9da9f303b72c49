import Primitives
import Resilience

/// Finds out whether a Redis is well, so that no user's request has to: one thread for all lanes of
/// an endpoint, and a new connection for each look.
final class RedisProber: Sendable {
    /// How a lane calls for the thread.
    struct Signal: Sendable {
        var isRaised = false
        var isClosed = false
    }

    /// Why to look.
    private enum Need {
        /// The breaker is open and its time has come.
        case probe(generation: UInt32)
        /// It is half-open and nobody calls: without these trials it would stay so for ever.
        case trial(BreakerPermit)
        /// A call just lost its connection.
        case suspicion
    }

    private let thread = ThreadSlot()
    private let signal: Monitor<Signal>

    /// As long as a request may wait for Redis: what does not answer in this time is not well.
    private static let checkLimit: Duration = .milliseconds(250)
    /// For a suspect: with one caller and its timeout of 250 ms, the four looks that are missing to
    /// five failures in a row must fit into the rest of a second.
    private static let suspectLimit: Duration = .milliseconds(150)
    /// Between looks at a suspect or a half-open lane: refused connections must not spin.
    private static let pause: Duration = .milliseconds(20)
    private static let idleTrialAfter: Duration = .milliseconds(100)

    init(_ lanes: [GuardedLane], connector: RedisConnector, signal: Monitor<Signal>) {
        self.signal = signal
        thread.start(name: "redis-probe") {
            while true {
                RedisProber.look(at: lanes, connector)
                let deadline = RedisProber.nextLook(at: lanes)
                let isClosed = signal.wait(
                    until: deadline, for: { $0.isRaised || $0.isClosed },
                    then: { signal in
                        signal.isRaised = false
                        return signal.isClosed
                    })
                if isClosed == true { return }
            }
        }
    }

    /// Ends the thread, after the look it may be at. Harmless when repeated.
    func close() {
        signal.change { $0.isClosed = true }
        thread.join()
    }

    private static func look(at lanes: [GuardedLane], _ connector: RedisConnector) {
        let start = MonotonicTime.now()
        let needs = lanes.map { need(of: $0, at: start) }
        guard needs.contains(where: { $0 != nil }) else { return }
        let isSuspicionAlone = needs.allSatisfy {
            if case .suspicion? = $0 { true } else { $0 == nil }
        }
        let limit = isSuspicionAlone ? suspectLimit : checkLimit
        let problem = problem(connector, Deadline(start + limit))
        let now = MonotonicTime.now()
        for (lane, need) in zip(lanes, needs) {
            guard let need else { continue }
            if let problem { lane.note(problem) }
            settle(lane, need, isHealthy: problem == nil, at: now)
        }
    }

    private static func problem(_ connector: RedisConnector, _ deadline: Deadline) -> RedisError? {
        do {
            try connector.check(deadline)
            return nil
        } catch {
            return error
        }
    }

    private static func need(of lane: GuardedLane, at now: MonotonicTime) -> Need? {
        if let generation = lane.breaker.probeDue(at: now) { return .probe(generation: generation) }
        if lane.breaker.isIdle(for: idleTrialAfter, at: now) {
            return lane.breaker.admit(at: now).map { .trial($0) }
        }
        return lane.isSuspect ? .suspicion : nil
    }

    private static func settle(
        _ lane: GuardedLane, _ need: Need, isHealthy: Bool, at now: MonotonicTime
    ) {
        switch need {
        case .probe(let generation):
            lane.breaker.finishProbe(generation, isHealthy: isHealthy, at: now)
        case .trial(let permit):
            lane.breaker.record(permit, isHealthy ? .success : .connectionFailure, at: now)
        case .suspicion:
            if !isHealthy { lane.breaker.addConnectionFailure(at: now) }
            if isHealthy || lane.breaker.snapshot(at: now).mode != .closed {
                lane.clearSuspicion()
            }
        }
    }

    /// When to look again if nobody calls for it.
    private static func nextLook(at lanes: [GuardedLane]) -> Deadline {
        let now = MonotonicTime.now()
        var next = Deadline.never
        for lane in lanes {
            let breaker = lane.breaker.snapshot(at: now)
            switch breaker.mode {
            case .open: next = min(next, Deadline(now + breaker.retryAfter))
            case .halfOpen: next = min(next, Deadline(now + pause))
            case .closed where lane.isSuspect: next = min(next, Deadline(now + pause))
            case .closed, .forcedOpen, .disabled: break
            }
        }
        return next
    }
}
