import Primitives

/// The rules of a circuit breaker, without a clock, a lock or a thread of their own.
///
///                  rates, or failures in a row           probe: healthy
///         closed ──────────────────────────────▶ open ──────────────────▶ half-open
///            ▲                                    ▲  ◀─┐ probe: not yet,      │ │
///            │                                    │    └ twice as long        │ │
///            │                                    └── failure, slow, lease ───┘ │
///            └─────────────────── successesToClose successes ───────────────────┘
///
/// Each change starts a new generation: a call that was admitted before it says nothing about the
/// time after it. Only a failure or a slow call can open a breaker, so rates are looked at when one
/// is recorded and a success costs an addition. A slow call while half-open counts as a failure:
/// otherwise a breaker that opened because calls were slow would close on five slow calls.
package struct BreakerState: Sendable {
    private struct Lease: Sendable {
        let id: UInt32
        let expiresAt: MonotonicTime
    }

    package let options: BreakerOptions
    package private(set) var mode = BreakerMode.closed
    /// Counts changes of mode, in the 22 bits that the lock-free path has room for.
    package private(set) var generation: UInt32 = 0
    package private(set) var reason = BreakerReason.started
    package private(set) var changedAt: MonotonicTime
    package private(set) var openedCount: UInt64 = 0
    package private(set) var refusedCount: UInt64 = 0
    /// Connection failures since the last call that got an answer.
    package private(set) var connectionFailuresInARow = 0
    /// While open: when the probe may try.
    package private(set) var probeAt: MonotonicTime

    private(set) var window: BreakerWindow
    let slowNanoseconds: UInt64
    private var openingsInARow = 0
    private var leases: [Lease] = []
    private var lastLease: UInt32 = 0
    private var trialSuccesses = 0
    private var lastTrialAt: MonotonicTime
    private var random: SeededRandom

    static let generationMask: UInt32 = 0x3F_FFFF

    /// - Parameter seed: for the jitter of open times.
    package init(_ options: BreakerOptions, seed: UInt64, at now: MonotonicTime) {
        self.options = options
        window = BreakerWindow(options)
        window.advance(to: now)
        slowNanoseconds = UInt64(options.slowAfter.wholeNanoseconds)
        random = SeededRandom(seed: seed)
        changedAt = now
        probeAt = now
        lastTrialAt = now
        leases.reserveCapacity(options.permitLimit)
    }

    // MARK: Calls

    /// Leave for a call that begins at `now`.
    /// - Returns: nil if it must not be made.
    package mutating func admit(
        at now: MonotonicTime, waitAllowanceNanoseconds: UInt64 = 0
    ) -> BreakerPermit? {
        expireLeases(at: now)
        var lease: UInt32 = 0
        switch mode {
        case .closed, .disabled: break
        case .halfOpen where leases.count < options.permitLimit:
            lastLease &+= 1
            lease = lastLease
            lastTrialAt = now
            let time = options.leaseTime + .nanoseconds(Int64(clamping: waitAllowanceNanoseconds))
            leases.append(Lease(id: lease, expiresAt: now + time))
        case .halfOpen, .open, .forcedOpen:
            refusedCount += 1
            return nil
        }
        return BreakerPermit(
            startedAt: now, waitAllowanceNanoseconds: waitAllowanceNanoseconds,
            generation: generation, lease: lease)
    }

    /// How an admitted call ended at `now`.
    package mutating func record(
        _ permit: BreakerPermit, _ outcome: BreakerOutcome, at now: MonotonicTime
    ) {
        expireLeases(at: now)
        guard permit.generation == generation else { return }
        let isSlow = permit.isSlow(at: now, limitNanoseconds: slowNanoseconds)
        switch mode {
        case .closed: recordCall(outcome, isSlow: isSlow, at: now)
        case .halfOpen: recordTrial(permit.lease, outcome, isSlow: isSlow, at: now)
        case .open, .forcedOpen, .disabled: break
        }
    }

    /// Takes back the permit of a call that its caller cancelled: it says nothing of the other side.
    package mutating func giveBack(_ permit: BreakerPermit) {
        guard permit.generation == generation else { return }
        leases.removeAll { $0.id == permit.lease }
    }

    /// Successes that were counted elsewhere, all of the newest bucket's time.
    mutating func addSuccesses(_ count: Int) {
        if mode == .closed { window.add(calls: count) }
    }

    /// Forgets calls that are too old and fails trials whose lease has ended.
    package mutating func advance(to now: MonotonicTime) {
        window.advance(to: now)
        expireLeases(at: now)
    }

    /// A connection failure that was seen beside the calls, by a check of the endpoint.
    package mutating func addConnectionFailure(at now: MonotonicTime) {
        guard mode == .closed else { return }
        connectionFailuresInARow += 1
        openIfNeeded(at: now)
    }

    // MARK: The probe

    /// Whether it is time to find out if the other side is well.
    /// - Returns: the generation to hand to `finishProbe`; nil if not.
    package func probeDue(at now: MonotonicTime) -> UInt32? {
        mode == .open && now >= probeAt ? generation : nil
    }

    /// What the probe of that generation found.
    package mutating func finishProbe(
        _ generation: UInt32, isHealthy: Bool, at now: MonotonicTime
    ) {
        guard mode == .open, generation == self.generation else { return }
        guard isHealthy else {
            openingsInARow += 1
            probeAt = now + nextOpenTime()
            return
        }
        lastTrialAt = now
        enter(.halfOpen, .probeSucceeded, at: now)
    }

    /// Whether it is half-open and nobody has asked for a permit for `time`. The probe then makes
    /// the trials, or a lane without traffic would stay half-open for ever.
    package func isIdle(for time: Duration, at now: MonotonicTime) -> Bool {
        mode == .halfOpen && leases.isEmpty && now >= lastTrialAt + time
    }

    // MARK: The operator

    /// Forces it open, disables it, or lets it decide for itself again, starting closed.
    package mutating func apply(_ control: BreakerControl, at now: MonotonicTime) {
        switch control {
        case .forcedOpen where mode != .forcedOpen: enter(.forcedOpen, .operator, at: now)
        case .disabled where mode != .disabled: enter(.disabled, .operator, at: now)
        case .automatic where mode == .forcedOpen || mode == .disabled:
            close(.operator, at: now)
        case .forcedOpen, .disabled, .automatic: break
        }
    }

    // MARK: What it says of itself

    /// How long a refused caller should wait; zero while closed or disabled.
    package func retryAfter(at now: MonotonicTime) -> Duration {
        switch mode {
        case .closed, .disabled: .zero
        case .open: probeAt.since(now)
        case .halfOpen: options.slowAfter
        case .forcedOpen: options.longestOpen
        }
    }

    /// The state as it is at `now`, which the window has been advanced to.
    package func snapshot(at now: MonotonicTime) -> BreakerSnapshot {
        BreakerSnapshot(
            mode: mode, failureRate: window.failureRate, slowRate: window.slowRate,
            callCount: window.total.calls, changedAt: changedAt, reason: reason,
            openedCount: openedCount, refusedCount: refusedCount, retryAfter: retryAfter(at: now))
    }

    // MARK: Rules

    private mutating func recordCall(
        _ outcome: BreakerOutcome, isSlow: Bool, at now: MonotonicTime
    ) {
        window.advance(to: now)
        window.add(calls: 1, failures: outcome == .success ? 0 : 1, slow: isSlow ? 1 : 0)
        connectionFailuresInARow =
            outcome == .connectionFailure ? connectionFailuresInARow + 1 : 0
        if outcome != .success || isSlow { openIfNeeded(at: now) }
    }

    private mutating func openIfNeeded(at now: MonotonicTime) {
        let isBusy = window.total.calls >= options.minimumCalls
        if connectionFailuresInARow >= options.connectionFailureLimit {
            open(.connectionFailures, at: now)
        } else if isBusy, window.failureRate >= options.failureRateLimit {
            open(.failureRate, at: now)
        } else if isBusy, window.slowRate >= options.slowRateLimit {
            open(.slowRate, at: now)
        }
    }

    private mutating func recordTrial(
        _ lease: UInt32, _ outcome: BreakerOutcome, isSlow: Bool, at now: MonotonicTime
    ) {
        guard let index = leases.firstIndex(where: { $0.id == lease }) else { return }
        leases.remove(at: index)
        if outcome != .success { return open(.trialFailed, at: now) }
        if isSlow { return open(.trialSlow, at: now) }
        trialSuccesses += 1
        if trialSuccesses >= options.successesToClose { close(.trialsSucceeded, at: now) }
    }

    private mutating func expireLeases(at now: MonotonicTime) {
        guard mode == .halfOpen, leases.contains(where: { now >= $0.expiresAt }) else { return }
        open(.leaseExpired, at: now)
    }

    private mutating func open(_ reason: BreakerReason, at now: MonotonicTime) {
        openingsInARow += 1
        openedCount += 1
        probeAt = now + nextOpenTime()
        enter(.open, reason, at: now)
    }

    private mutating func close(_ reason: BreakerReason, at now: MonotonicTime) {
        openingsInARow = 0
        connectionFailuresInARow = 0
        window.removeAll()
        window.advance(to: now)
        enter(.closed, reason, at: now)
    }

    private mutating func enter(
        _ mode: BreakerMode, _ reason: BreakerReason, at now: MonotonicTime
    ) {
        self.mode = mode
        self.reason = reason
        changedAt = now
        generation = (generation &+ 1) & BreakerState.generationMask
        leases.removeAll(keepingCapacity: true)
        trialSuccesses = 0
    }

    /// `firstOpen` doubled for each opening in a row, at most `longestOpen`, give or take jitter.
    private mutating func nextOpenTime() -> Duration {
        let doublings = min(openingsInARow - 1, 30)  // 2³⁰ s is beyond any limit.
        let nominal = min(options.firstOpen * (1 << doublings), options.longestOpen)
        return nominal * Double.random(in: 1 - options.jitter...1 + options.jitter, using: &random)
    }
}
