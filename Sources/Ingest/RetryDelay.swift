import Primitives

/// Waits of background work that failed: 100 ms, doubling to 10 s, each cut by chance to between
/// half and all of it, so that what failed together does not return together.
struct RetryDelay {
    private static let first = Duration.milliseconds(100)
    private static let longest = Duration.seconds(10)

    private(set) var failures = 0

    /// The next wait, longer than the one before.
    mutating func next() -> Duration {
        var delay = RetryDelay.first
        for _ in 0..<min(failures, 10) where delay < RetryDelay.longest { delay = delay * 2 }
        failures += 1
        let nanoseconds = min(delay, RetryDelay.longest).wholeNanoseconds
        return .nanoseconds(Int64.random(in: nanoseconds / 2...nanoseconds))
    }
}
