import Primitives
import Telemetry

/// Durations of finished requests by method, route and status. Each event loop has its own, so
/// counting never crosses cores; `/metrics` adds them up.
package final class RequestMetrics: Sendable {
    package struct Key: Hashable, Sendable {
        package var method: HTTPMethod
        package var route: String?
        package var status: Int
    }

    private let series = Locked<[Key: Histogram]>([:])

    package init() {}

    /// Called by the owning loop's thread, so the lock is free but while `/metrics` copies.
    func observe(_ key: Key, _ duration: Duration) {
        let histogram = series.withLock { series in
            if let known = series[key] { return known }
            let fresh = Histogram()
            series[key] = fresh
            return fresh
        }
        histogram.observe(duration)
    }

    package var snapshot: [(key: Key, histogram: Histogram)] {
        series.withLock { series in series.map { ($0.key, $0.value) } }
    }
}
