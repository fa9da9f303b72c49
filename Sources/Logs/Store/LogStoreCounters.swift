import Primitives
import Telemetry

/// What the store has done since start, and how large it is.
package struct LogStoreCounters: Sendable {
    package let stored = Counter()
    /// Of days that have been dropped, or would be at once, or that get no file.
    package let tooOld = Counter()
    /// Given up: the disk would not take them before the service had to end.
    package let lost = Counter()
    /// Attempts to write that failed, and were made again.
    package let failures = Counter()
    /// Days that retention dropped.
    package let dropped = Counter()
    /// Records that retention took out of days that others stay in.
    package let expired = Counter()
    /// Files that were set aside.
    package let damaged = Counter()
    package let bytes = LogGauge()
    /// Of the days that are not over, which no size drops.
    package let presentBytes = LogGauge()
    package let days = LogGauge()
    /// Damaged files that are still there.
    package let setAside = LogGauge()
}

/// A number that goes up and down. Any thread.
package final class LogGauge: Sendable {
    private let state = Locked<Int64>(0)

    init() {}
    package var value: Int64 { state.withLock { $0 } }
    func set(_ value: Int64) { state.withLock { $0 = value } }
}
