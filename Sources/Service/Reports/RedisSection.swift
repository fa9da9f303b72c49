import Primitives
import Telemetry

/// Redis, the streams in it and the cache's.
struct RedisSection: ReportSection {
    let clients: RedisClients

    func add(to status: inout JSONObjectWriter) { RedisReport(clients: clients).add(to: &status) }
    func add(to metrics: inout MetricsText) { RedisMetrics(clients: clients).add(to: &metrics) }
}
