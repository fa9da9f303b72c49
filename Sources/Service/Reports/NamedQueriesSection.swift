import Primitives
import Query
import Telemetry

/// The named queries, and what is wrong with their files.
struct NamedQueriesSection: ReportSection {
    /// Nil where no folder is configured.
    let keeper: NamedQueryKeeper?

    func add(to status: inout JSONObjectWriter) {
        guard let report = keeper?.report else { return }
        status.object("named_queries") { body in
            body.add("count", report.queries.count)
            body.add("loads", report.loads)
            body.add("failures", report.failures)
            body.array("problems", of: report.problems) { body, problem in
                if let name = problem.name { body.add("query", name) }
                body.add("error", problem.problem)
            }
        }
    }

    func add(to metrics: inout MetricsText) {
        guard let report = keeper?.report else { return }
        metrics.gauge("millrace_named_queries", "Named queries that serve.", report.queries.count)
        metrics.gauge(
            "millrace_named_queries_broken", "Files of named queries that cannot be used.",
            report.problems.count)
        metrics.counter(
            "millrace_named_query_failures_total", "Files of named queries read in vain.",
            report.failures)
    }
}
