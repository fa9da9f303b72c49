import Primitives
import Telemetry

/// The log of the service itself.
struct LoggerSection: ReportSection {
    let log: Logger

    func add(to status: inout JSONObjectWriter) {
        status.object("logger") { logger in
            logger.add("level", log.level.name)
            logger.add("queued_bytes", log.queuedBytes)
            logger.object("dropped") { $0.add("queue_full", log.dropped) }
        }
    }

    func add(to metrics: inout MetricsText) {
        metrics.family("millrace_log_dropped_total", .counter, "Log records dropped.")
        metrics.sample("millrace_log_dropped_total", ["reason": "queue_full"], log.dropped)
    }
}
