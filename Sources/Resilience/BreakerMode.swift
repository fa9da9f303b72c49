/// Whether calls go through.
package enum BreakerMode: String, Sendable, CaseIterable {
    /// All calls go through and are counted.
    case closed
    /// None goes through; a background probe decides when to try again.
    case open
    /// A few calls go through, to find out.
    case halfOpen = "half_open"
    /// None goes through until an operator says otherwise.
    case forcedOpen = "forced_open"
    /// All calls go through and none is counted, until an operator says otherwise.
    case disabled
}

/// What an operator wants of a breaker.
package enum BreakerControl: String, Sendable, CaseIterable {
    case automatic
    case forcedOpen = "forced_open"
    case disabled
}

/// Why a breaker changed its mode last.
package enum BreakerReason: String, Sendable {
    /// It has not changed since the start.
    case started
    case failureRate = "failure_rate"
    case slowRate = "slow_rate"
    case connectionFailures = "connection_failures"
    case probeSucceeded = "probe_succeeded"
    case trialFailed = "trial_failed"
    case trialSlow = "trial_slow"
    case leaseExpired = "lease_expired"
    case trialsSucceeded = "trials_succeeded"
    case `operator`
}

/// How a call ended, as far as its breaker is concerned.
package enum BreakerOutcome: Sendable, Equatable, CaseIterable {
    case success
    /// The other side answered that it cannot serve.
    case failure
    /// The call ended without its connection: refused, reset, timed out, or not understood.
    case connectionFailure
}
