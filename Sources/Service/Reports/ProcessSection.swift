import Primitives
import Telemetry

/// The version, since when it runs, and whether it stops.
struct ProcessSection: ReportSection {
    let started: MonotonicTime
    let readiness: Readiness

    func add(to status: inout JSONObjectWriter) {
        status.add("version", Version.current)
        status.add("uptime_seconds", MonotonicTime.now().since(started).inSeconds)
        status.add("draining", readiness.isDraining)
    }

    func add(to metrics: inout MetricsText) {
        metrics.family("millrace_build_info", .gauge, "The version that runs.")
        metrics.sample("millrace_build_info", ["version": Version.current], UInt64(1))
        metrics.gauge(
            "millrace_uptime_seconds", "Time since start.",
            Int(MonotonicTime.now().since(started).inSeconds))
        metrics.gauge("millrace_draining", "1 while stopping.", readiness.isDraining ? 1 : 0)
    }
}
