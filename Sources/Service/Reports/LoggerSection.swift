import Primitives
import Telemetry

/// The log of the service itself.
struct LoggerSection: ReportSection {
    let log: Logger

    func add(to status: inout JSONObjectWriter) {
        status.object("logger") { logger in
            logger.add("level", log.level.name)
            logger.add("queued_bytes", log.queuedBytes)
            logger.object("dropped") { dropped in
                for reason in LogDropReason.allCases {
                    dropped.add(reason.rawValue, log.drops.count(reason))
                }
            }
            logger.object("sinks") { sinks in
                for sink in log.sinks {
                    sinks.object(sink.name) { body in
                        body.add("state", sink.error == nil ? "ok" : "failing")
                        if let error = sink.error { body.add("error", error) }
                    }
                }
            }
        }
    }

    func add(to metrics: inout MetricsText) {
        let dropped = "millrace_log_dropped_total"
        metrics.family(dropped, .counter, "Log records that were not written.")
        for reason in LogDropReason.allCases {
            metrics.sample(dropped, ["reason": reason.rawValue], log.drops.count(reason))
        }
        metrics.gauge(
            "millrace_log_queued_bytes", "Log records that wait to be written.", log.queuedBytes)
        let ok = "millrace_log_sink_ok"
        metrics.family(ok, .gauge, "1 while the sink takes records.")
        for sink in log.sinks {
            metrics.sample(ok, ["sink": sink.name], UInt64(sink.error == nil ? 1 : 0))
        }
    }
}
