import Primitives

/// Whether a failed call is tried again, and when. One layer only retries: attempts of layers
/// multiply.
package struct RetryPolicy: Sendable {
    /// All attempts together, the first included.
    package let attemptLimit: Int
    package let backoff: Backoff

    package init(attemptLimit: Int, backoff: Backoff) {
        precondition(attemptLimit > 0)
        self.attemptLimit = attemptLimit
        self.backoff = backoff
    }

    package static let request = RetryPolicy(attemptLimit: 3, backoff: .request)

    /// How long to wait before the next attempt. Only for what is safe to repeat: a call that timed
    /// out may still have been carried out.
    /// - Returns: nil to give up: attempts, the budget or the time until `deadline` are used up.
    package func delay(
        afterAttempts attempts: Int, deadline: Deadline, budget: RetryBudget,
        at now: MonotonicTime, using random: inout some RandomNumberGenerator
    ) -> Duration? {
        guard attempts < attemptLimit else { return nil }
        let delay = backoff.delay(afterFailures: attempts, using: &random)
        return isAffordable(delay, deadline, budget, now) ? delay : nil
    }

    /// As above, with the system's randomness.
    package func delay(
        afterAttempts attempts: Int, deadline: Deadline, budget: RetryBudget,
        at now: MonotonicTime
    ) -> Duration? {
        guard attempts < attemptLimit else { return nil }
        let delay = backoff.delay(afterFailures: attempts)
        return isAffordable(delay, deadline, budget, now) ? delay : nil
    }

    /// Takes from the budget only what there is time for.
    private func isAffordable(
        _ delay: Duration, _ deadline: Deadline, _ budget: RetryBudget, _ now: MonotonicTime
    ) -> Bool {
        now + delay < deadline.time && budget.take(at: now)
    }
}
