import Events
import Resilience
import Storage
import Telemetry

extension MetricsReport {
    func addSinks(_ text: inout MetricsText) {
        let status = store.status
        gauge(&text, "millrace_dead_letters_rows", "Dead letters kept.", status.deadLetters)
        let sinks = sinks.statuses
        guard !sinks.isEmpty else { return }
        for (name, help, value) in MetricsReport.sinkCounters {
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
        addBreakers(sinks, to: &text)
        let duration = "millrace_sink_request_duration_seconds"
        text.family(duration, .histogram, "Duration of requests to sinks that got an answer.")
        for sink in sinks { text.sample(duration, ["sink": sink.name], sink.durations) }
    }

    private func addBreakers(_ sinks: [SinkStatus], to text: inout MetricsText) {
        let name = "millrace_sink_breaker_state"
        text.family(name, .gauge, "1 for the state that the sink's breaker is in.")
        for sink in sinks {
            for mode in BreakerMode.allCases {
                let isIn = sink.breaker.mode == mode
                text.sample(
                    name, ["sink": sink.name, "state": mode.rawValue], UInt64(isIn ? 1 : 0))
            }
        }
    }

    private static let sinkCounters:
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
