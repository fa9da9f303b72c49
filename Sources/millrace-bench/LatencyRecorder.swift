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

    /// Percentiles of what was recorded, the median and the 99th unless said otherwise.
    /// - Parameter operations: how many operations each recording stands for.
    func figures(each operations: Int = 1, percentiles: [Double] = [50, 99]) -> [Figure] {
        percentiles.map { percentile in
            let isWhole = percentile == percentile.rounded()
            let name = isWhole ? "p\(Int(percentile))" : "p\(percentile)"
            let value = Double(histogram.valueAtPercentile(percentile))
            return Figure(name, .nanoseconds, value / Double(operations))
        }
    }
}
