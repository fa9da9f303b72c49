import HTTPServer
import Primitives
import Telemetry

/// Connections, requests and the memory of bodies.
struct HTTPSection: ReportSection {
    let server: HTTPServer
    let configuration: Configuration

    func add(to status: inout JSONObjectWriter) {
        status.object("http") { http in
            http.add("connections", server.openConnections)
            http.add("refused_connections", server.refusedConnections)
            http.add("malformed_requests", server.malformedRequests)
            http.add("body_bytes", server.bodyBudget.usedBytes)
            http.add("max_body_bytes", configuration.bodyMemoryBytes)
            http.add("refused_bodies", server.bodyBudget.refused.count)
            http.add("event_loops", configuration.loops)
        }
    }

    func add(to metrics: inout MetricsText) {
        let duration = "http_server_request_duration_seconds"
        let templates = server.templates
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
