import Primitives

/// A change of mode, for logs and metrics.
package struct BreakerChange: Sendable {
    package let name: String
    package let from: BreakerMode
    package let to: BreakerMode
    package let reason: BreakerReason
    /// Grows with each change, modulo 2²²; observers on several threads can tell the order by it.
    package let generation: UInt32
    /// Shares of the calls in the window, 0 to 1.
    package let failureRate: Double
    package let slowRate: Double
    /// Until the probe's next attempt; zero unless it is now open.
    package let retryAfter: Duration
}

/// What `/status` says of a breaker.
package struct BreakerSnapshot: Sendable {
    package let mode: BreakerMode
    /// Shares of the calls in the window, 0 to 1; 0 without calls.
    package let failureRate: Double
    package let slowRate: Double
    /// Calls in the window that were recorded.
    package let callCount: Int
    package let changedAt: MonotonicTime
    package let reason: BreakerReason
    /// Times it opened, and calls it refused, since the start.
    package let openedCount: UInt64
    package let refusedCount: UInt64
    /// How long a refused caller should wait; zero when calls go through.
    package let retryAfter: Duration
}
