import HTTPServer
import Primitives
import Telemetry

/// Connections, requests and the memory of bodies.
struct HTTPSection: ReportSection {
    let server: ServerSlot
    let configuration: Configuration

    func add(to status: inout JSONObjectWriter) {
        status.object("http") { http in
            let server = self.server.current
            http.add("connections", server?.openConnections ?? 0)
            http.add("refused_connections", server?.refusedConnections ?? 0)
            http.add("malformed_requests", server?.malformedRequests ?? 0)
            http.add("body_bytes", server?.bodyBudget.usedBytes ?? 0)
            http.add("max_body_bytes", configuration.bodyMemoryBytes)
            http.add("refused_bodies", server?.bodyBudget.refused.count ?? 0)
            http.add("event_loops", configuration.loops)
        }
    }

    func add(to metrics: inout MetricsText) {
        guard let server = self.server.current else { return }
        let duration = "http_server_request_duration_seconds"
        let templates = self.server.templates
        metrics.family(duration, .histogram, "Duration of HTTP requests.")
        for series in RequestMetrics.merged(server.metrics) {
            let labels: MetricsText.Labels = [
                "http_request_method": series.key.method.name,
                "http_route": series.key.route < 0 ? "" : templates[series.key.route],
                "http_response_status_code": "\(series.key.status)",
            ]
            metrics.sample(duration, labels, series.snapshot)
        }
        metrics.gauge("millrace_http_connections", "Open connections.", server.openConnections)
        metrics.counter(
            "millrace_http_refused_connections_total", "Connections refused at the limit.",
            server.refusedConnections)
        metrics.counter(
            "millrace_http_malformed_requests_total",
            "Requests that are no HTTP, or too large to parse.", server.malformedRequests)
        metrics.gauge(
            "millrace_http_body_memory_bytes", "Memory of request bodies above 16 KiB.",
            server.bodyBudget.usedBytes)
        metrics.counter(
            "millrace_http_refused_bodies_total", "Bodies refused for want of memory.",
            server.bodyBudget.refused.count)
    }
}
