import Primitives
import Resilience
import Sinks
import Telemetry

/// One object, and one series of each family, a sink.
struct SinksSection: ReportSection {
    let sinks: Sinks

    func add(to status: inout JSONObjectWriter) {
        status.object("sinks") { body in
            for sink in sinks.statuses {
                body.object(sink.name) { SinksSection.add(sink, to: &$0) }
            }
        }
    }

    /// The rest of a sink's URL may be a secret, so only its origin is told.
    private static func add(_ sink: SinkStatus, to body: inout JSONObjectWriter) {
        body.add("url", sink.origin)
        body.add("types", sink.types)
        body.add("delivered", sink.delivered)
        body.add("batches", sink.batches)
        body.add("failed_attempts", sink.failedAttempts)
        body.add("refusals", sink.refusals)
        body.add("dead_letters", sink.deadLetters)
        body.add("redelivered", sink.redelivered)
        body.add("lost", sink.lost)
        if let partitions = sink.partitions { body.add("partitions", partitions) }
        if let lag = sink.lag { body.add("lag", lag) }
        if let error = sink.lastError { body.add("last_error", error) }
        body.object("breaker") { RedisReport.add(sink.breaker, to: &$0) }
    }

    func add(to text: inout MetricsText) {
        let sinks = sinks.statuses
        guard !sinks.isEmpty else { return }
        for (name, help, value) in SinksSection.counters {
            text.family(name, .counter, help)
            for sink in sinks { text.sample(name, ["sink": sink.name], value(sink)) }
        }
        let lag = "millrace_sink_lag_events"
        text.family(lag, .gauge, "Events, or entries of streams, still to be delivered.")
        for sink in sinks {
            if let value = sink.lag {
                text.sample(lag, ["sink": sink.name], UInt64(clamping: value))
            }
        }
        text.breakers(
            "millrace_sink_breaker_state", "1 for the state that the sink's breaker is in.",
            "sink", sinks.map { ($0.name, $0.breaker.mode) })
        let duration = "millrace_sink_request_duration_seconds"
        text.family(duration, .histogram, "Duration of requests to sinks that got an answer.")
        for sink in sinks { text.sample(duration, ["sink": sink.name], sink.durations) }
    }

    private static let counters:
        [(name: String, help: String, value: @Sendable (SinkStatus) -> UInt64)] = [
            (
                "millrace_sink_events_delivered_total", "Events that a sink's receiver took.",
                { $0.delivered }
            ),
            (
                "millrace_sink_batches_delivered_total", "Requests that a sink's receiver took.",
                { $0.batches }
            ),
            (
                "millrace_sink_failed_attempts_total",
                "Attempts to deliver that are tried again: no answer, 5xx, 401, 407, 408, 425, 429.",
                { $0.failedAttempts }
            ),
            (
                "millrace_sink_refusals_total", "Answers that refused what was sent.",
                { $0.refusals }
            ),
            ("millrace_sink_dead_letters_total", "Events given up.", { $0.deadLetters }),
            (
                "millrace_sink_redeliveries_total",
                "Entries of streams that Redis had delivered before.", { $0.redelivered }
            ),
            (
                "millrace_sink_lost_entries_total",
                "Events, or entries of streams, gone before they could be delivered, or unreadable.",
                { $0.lost }
            ),
        ]
}
