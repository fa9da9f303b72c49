internal import Glibc
import Primitives

/// What one transaction of the store took.
struct StoreBatch {
    private(set) var events = 0
    /// From its begin to its end.
    private(set) var elapsed = Duration.zero
    /// The part of `elapsed` for which its thread had a core.
    private(set) var worked = Duration.zero
    private let began = MonotonicTime.now()
    private let workedBefore = StoreBatch.threadTime()

    /// On the thread that made it.
    mutating func end(events: Int) {
        self.events = events
        elapsed = MonotonicTime.now().since(began)
        worked = StoreBatch.threadTime() - workedBefore
    }

    private static func threadTime() -> Duration {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }
}
