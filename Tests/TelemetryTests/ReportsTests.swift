import Primitives
import Telemetry
import Testing

@Suite struct ReportsTests {
    private struct Section: ReportSection {
        let name: String

        func add(to status: inout JSONObjectWriter) {
            status.object(name) { $0.add("count", 1) }
        }

        func add(to metrics: inout MetricsText) {
            metrics.counter("\(name)_total", "Counts \(name).", 1)
        }
    }

    /// Tells nothing in `/metrics`.
    private struct Quiet: ReportSection {
        func add(to status: inout JSONObjectWriter) { status.add("quiet", true) }
    }

    @Test func `a report is its sections, one after the other`() {
        let reports = Reports([Section(name: "a"), Quiet(), Section(name: "b")])
        #expect(reports.status().text == #"{"a":{"count":1},"quiet":true,"b":{"count":1}}"# + "\n")
        #expect(
            reports.metrics().text == """
                # HELP a_total Counts a.
                # TYPE a_total counter
                a_total 1
                # HELP b_total Counts b.
                # TYPE b_total counter
                b_total 1

                """)
    }
}
