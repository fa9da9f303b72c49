import Primitives

/// When a breaker opens, for how long, and what closes it again.
package struct BreakerOptions: Sendable {
    /// How far back rates look, in `bucketCount` equal steps.
    package var window: Duration = .seconds(10)
    package var bucketCount = 10
    /// Fewer calls in the window never trip a rate: with three calls, one failure is a third.
    package var minimumCalls = 20
    /// Opens when this share of calls failed, 0 to 1.
    package var failureRateLimit = 0.5
    /// Opens when this share of calls took longer than `slowAfter`, 0 to 1.
    package var slowRateLimit = 0.8
    package var slowAfter: Duration = .milliseconds(100)
    /// Opens after so many connection failures in a row, however few calls there are.
    package var connectionFailureLimit = 5
    /// How long it stays open at first; each opening in a row doubles it up to `longestOpen`.
    package var firstOpen: Duration = .seconds(1)
    package var longestOpen: Duration = .seconds(30)
    /// Open times vary by this share either way, so that nodes do not return in step.
    package var jitter = 0.25
    /// Calls under way at once while half-open.
    package var permitLimit = 3
    package var successesToClose = 5
    /// A permit that is neither recorded nor given back for so long counts as a failure; its
    /// wait allowance comes on top. Longer than any call's deadline: the longest, 8 s, are reads that
    /// got no answer before.
    package var leaseTime: Duration = .seconds(10)

    package init() {}
}
