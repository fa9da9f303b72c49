import Telemetry

/// How long queries take.
struct QuerySection: ReportSection {
    let duration: Histogram

    func add(to metrics: inout MetricsText) {
        let name = "millrace_query_duration_seconds"
        metrics.family(name, .histogram, "Duration of queries, computed.")
        metrics.sample(name, [:], duration.snapshot)
    }
}
