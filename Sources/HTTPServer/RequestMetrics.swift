import Primitives
import Telemetry

/// Durations of finished requests by method, route and status. Each event loop has its own, so
/// counting never crosses cores; `/metrics` adds them up.
package final class RequestMetrics: @unchecked Sendable {  // `last` is the loop thread's own.
    package struct Key: Hashable, Sendable {
        package var method: HTTPMethod
        /// The router's index; -1 for requests without a route.
        package var route: Int
        package var status: Int

        /// Equal for equal keys: statuses have three digits, methods are below eight.
        fileprivate var packed: Int { (route + 1) << 13 | Int(method.rawValue) << 10 | status }
    }

    private let series = Locked<[Key: Histogram]>([:])
    /// Most requests are like the one before.
    private var last: (packed: Int, histogram: Histogram)?

    package init() {}

    /// On the owning loop's thread.
    func observe(_ key: Key, nanoseconds: UInt64) {
        if let last, last.packed == key.packed {
            return last.histogram.observe(nanoseconds: nanoseconds)
        }
        let histogram = series.withLock { series in
            if let known = series[key] { return known }
            let fresh = Histogram()
            series[key] = fresh
            return fresh
        }
        last = (key.packed, histogram)
        histogram.observe(nanoseconds: nanoseconds)
    }

    package var snapshot: [(key: Key, histogram: Histogram)] {
        series.withLock { series in series.map { ($0.key, $0.value) } }
    }

    /// The series of all loops, added up, in a stable order.
    package static func merged(
        _ all: [RequestMetrics]
    ) -> [(key: Key, snapshot: HistogramSnapshot)] {
        var merged: [Key: HistogramSnapshot] = [:]
        for (key, histogram) in all.flatMap(\.snapshot) {
            if merged[key]?.add(histogram.snapshot) == nil { merged[key] = histogram.snapshot }
        }
        return merged.map { ($0.key, $0.value) }.sorted { $0.0.order < $1.0.order }
    }
}

extension RequestMetrics.Key {
    fileprivate var order: (Int, UInt8, Int) { (route, method.rawValue, status) }
}
