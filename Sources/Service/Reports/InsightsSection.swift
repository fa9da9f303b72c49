import Query
import Telemetry

/// How callers ask, in figures.
struct InsightsSection: ReportSection {
    let insights: QueryInsights

    func add(to metrics: inout MetricsText) {
        let name = "millrace_query_insights_total"
        metrics.family(name, .counter, "Patterns of questions that one question could replace.")
        for kind in InsightKind.allCases {
            metrics.sample(name, ["kind": kind.rawValue], insights.reportedCount(kind))
        }
    }
}
