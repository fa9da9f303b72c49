import Primitives
import Redis
import Resilience

/// Waits of forwarder and consumer after failures, all of full jitter (`Backoff`), so that nodes that
/// failed together do not return together. One thread at a time.
struct StreamPause {
    /// A breaker keeps its own time and asking it costs nothing; before it opens, it needs failures
    /// to judge by: twenty within a second, and more where successes of its window weigh against them.
    private static let ofBreaker = Backoff(first: .milliseconds(60), cap: .seconds(1))
    /// At 30 ms each some 15 s, longer than any window: an operator has disabled this breaker.
    private static let quickTries = 512
    /// The first failure is worth a try at once: a group may only have to be made again.
    private static let first = Backoff(first: .milliseconds(10), cap: .milliseconds(10))

    private var failures = 0
    private var refusals = 0

    /// The wait after a failure; `code` is nil for one that was not Redis's.
    mutating func next(after code: RedisError.Code?) -> Duration {
        if code == .breakerOpen { return StreamPause.ofBreaker.delay(afterFailures: 1) }
        if code?.isTransient == true {
            failures += 1
            return StreamPause.ofBreaker.delay(
                afterFailures: max(failures - StreamPause.quickTries, 1))
        }
        refusals += 1
        return refusals == 1
            ? StreamPause.first.delay(afterFailures: 1)
            : Backoff.background.delay(afterFailures: refusals - 1)
    }
}
