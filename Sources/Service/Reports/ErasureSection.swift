import Primitives
import Storage
import Telemetry

/// Erasures of events, beside `GET /admin/erasures`.
struct ErasureSection: ReportSection {
    let store: EventStore

    func add(to status: inout JSONObjectWriter) {
        status.object("erasures") { body in
            body.add("running", store.erasures.runningCount)
            body.add("identities_kept", store.status.erasedIdentities)
        }
    }

    func add(to metrics: inout MetricsText) {
        metrics.gauge(
            "millrace_erasures_running", "Erasures of events that have not finished.",
            store.erasures.runningCount)
        metrics.gauge(
            "millrace_erased_identities",
            "Erased events whose identities are kept, so that they do not come again.",
            store.status.erasedIdentities)
    }
}
