import Histogram
import Primitives

/// How long single operations took. One thread at a time.
struct LatencyRecorder {
    /// An hour; what is longer counts as that.
    private static let limitNanoseconds: UInt64 = 3_600_000_000_000
    /// Two digits suffice beside the noise, and keep the counters in the processor's cache.
    private var histogram = Histogram<UInt64>(
        highestTrackableValue: limitNanoseconds, numberOfSignificantValueDigits: .two)

    mutating func record(_ nanoseconds: UInt64) {
        histogram.record(min(nanoseconds, LatencyRecorder.limitNanoseconds))
    }

    mutating func record(from start: MonotonicTime, to end: MonotonicTime) {
        record(end.nanoseconds &- start.nanoseconds)
    }

    /// Median and 99th percentile of what was recorded.
    /// - Parameter operations: how many operations each recording stands for.
    func figures(each operations: Int = 1) -> [Figure] {
        [("p50", 50.0), ("p99", 99.0)].map { name, percentile in
            let value = Double(histogram.valueAtPercentile(percentile))
            return Figure(name, .nanoseconds, value / Double(operations))
        }
    }
}
