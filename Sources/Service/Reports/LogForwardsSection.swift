import Logs
import Primitives
import Resilience
import Telemetry

/// One object, and one series of each family, a forward of taken-in logs.
struct LogForwardsSection: ReportSection {
    let forwards: LogForwards

    func add(to status: inout JSONObjectWriter) {
        status.object("log_forwards") { body in
            for forward in forwards.statuses {
                body.object(forward.name) { LogForwardsSection.add(forward, to: &$0) }
            }
        }
    }

    /// The rest of a URL may be a secret, so only its origin is told.
    private static func add(_ forward: LogForwardStatus, to body: inout JSONObjectWriter) {
        let counters = forward.counters
        body.add("url", forward.origin)
        body.add("delivered", counters.delivered.count)
        body.add("requests", counters.requests.count)
        body.add("failed_attempts", counters.failed.count)
        body.object("dropped") { dropped in
            for reason in LogForwardDrop.allCases {
                dropped.add(reason.name, counters.dropped(reason))
            }
        }
        body.object("spool") { spool in
            spool.add("records", forward.spooledRecords)
            spool.add("bytes", forward.spooledBytes)
            spool.add("max_bytes", forward.spoolLimitBytes)
        }
        if let error = counters.lastError { body.add("last_error", error) }
        body.object("breaker") { RedisReport.add(forward.breaker, to: &$0) }
    }

    func add(to text: inout MetricsText) {
        let forwards = forwards.statuses
        guard !forwards.isEmpty else { return }
        for (name, help, value) in LogForwardsSection.counters {
            text.family(name, .counter, help)
            for forward in forwards {
                text.sample(name, ["forward": forward.name], value(forward.counters))
            }
        }
        let dropped = "millrace_log_forward_dropped_total"
        text.family(dropped, .counter, "Log records that were not forwarded, by reason.")
        for forward in forwards {
            for reason in LogForwardDrop.allCases {
                text.sample(
                    dropped, ["forward": forward.name, "reason": reason.name],
                    forward.counters.dropped(reason))
            }
        }
        addSpools(forwards, to: &text)
        text.breakers(
            "millrace_log_forward_breaker_state",
            "1 for the state that the forward's breaker is in.", "forward",
            forwards.map { ($0.name, $0.breaker.mode) })
        let duration = "millrace_log_forward_request_duration_seconds"
        text.family(duration, .histogram, "Duration of forwarding requests that got an answer.")
        for forward in forwards {
            text.sample(
                duration, ["forward": forward.name], forward.counters.durations.snapshot)
        }
    }

    private func addSpools(_ forwards: [LogForwardStatus], to text: inout MetricsText) {
        let records = "millrace_log_forward_spooled_records"
        text.family(records, .gauge, "Log records on disk that are still to be forwarded.")
        for forward in forwards {
            text.sample(
                records, ["forward": forward.name], UInt64(clamping: forward.spooledRecords))
        }
        let bytes = "millrace_log_forward_spool_bytes"
        text.family(bytes, .gauge, "Bytes of the forward's files on disk.")
        for forward in forwards {
            text.sample(bytes, ["forward": forward.name], UInt64(clamping: forward.spooledBytes))
        }
    }

    private static let counters:
        [(name: String, help: String, value: @Sendable (LogForwardCounters) -> UInt64)] = [
            (
                "millrace_log_forward_delivered_total", "Log records that the receiver took.",
                { $0.delivered.count }
            ),
            (
                "millrace_log_forward_requests_total", "Requests that the receiver took.",
                { $0.requests.count }
            ),
            (
                "millrace_log_forward_failed_attempts_total",
                "Attempts to forward that are tried again, or were refused.", { $0.failed.count }
            ),
        ]
}
