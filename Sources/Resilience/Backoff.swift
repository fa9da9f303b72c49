import Primitives

/// How long to wait before trying again: full jitter on an exponential ceiling (Brooker,
/// "Exponential Backoff and Jitter", 2015), which spreads callers that failed together.
package struct Backoff: Sendable {
    /// The ceiling of the first wait; it doubles with each attempt up to `cap`.
    package let first: Duration
    package let cap: Duration

    package init(first: Duration, cap: Duration) {
        precondition(first > .zero && cap >= first)
        self.first = first
        self.cap = cap
    }

    /// For what a request waits for.
    package static let request = Backoff(first: .milliseconds(10), cap: .milliseconds(200))
    /// For work that nobody waits for.
    package static let background = Backoff(first: .milliseconds(100), cap: .seconds(10))

    /// The longest that the wait after `failures` failures in a row can be; they count from 1.
    package func ceiling(afterFailures failures: Int) -> Duration {
        // 2⁴⁰ times any first wait is above any cap.
        min(cap, first * (1 << min(max(failures - 1, 0), 40)))
    }

    /// A wait between zero and the ceiling, evenly spread.
    package func delay(
        afterFailures failures: Int, using random: inout some RandomNumberGenerator
    ) -> Duration {
        let ceiling = ceiling(afterFailures: failures).wholeNanoseconds
        return .nanoseconds(Int64.random(in: 0...ceiling, using: &random))
    }

    package func delay(afterFailures failures: Int) -> Duration {
        let ceiling = ceiling(afterFailures: failures).wholeNanoseconds
        return .nanoseconds(Int64.random(in: 0...ceiling))
    }
}
