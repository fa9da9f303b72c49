import Primitives
import Query
import Telemetry

/// Which rollups are kept; how much of each is there `GET /admin/rollups` tells, which has to look.
struct RollupSection: ReportSection {
    let rollups: RollupSet

    func add(to status: inout JSONObjectWriter) {
        status.object("rollups") { body in
            body.add("declared", rollups.rollups.count)
            body.add("filling", rollups.fillingCount)
        }
    }

    func add(to metrics: inout MetricsText) {
        metrics.gauge("millrace_rollups", "Rollups that are declared.", rollups.rollups.count)
        metrics.gauge(
            "millrace_rollups_filling", "Rollups that no answer uses yet, because they are filled.",
            rollups.fillingCount)
    }
}
