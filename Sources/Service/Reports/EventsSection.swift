import Ingest
import Primitives
import Telemetry

/// Events on their way in, into the store, and out by tails.
struct EventsSection: ReportSection {
    let intake: EventIntake
    let writer: EventWriter
    let tail: TailHub<EventTailSource>

    func add(to status: inout JSONObjectWriter) {
        status.object("events") { events in
            events.add("accepted", intake.accepted.count)
            events.add("rejected", intake.rejected.count)
            events.add("refused_by_journal", intake.refusedByJournal.count)
            events.add("stored", writer.stored.count)
            events.add("duplicates", writer.duplicates.count)
            events.add("tail_subscribers", tail.subscribers)
            events.add("tail_dropped", tail.dropped.count)
        }
    }

    func add(to metrics: inout MetricsText) {
        metrics.counter(
            "millrace_events_accepted_total", "Events journaled.", intake.accepted.count)
        metrics.counter("millrace_events_rejected_total", "Bad events.", intake.rejected.count)
        metrics.counter(
            "millrace_events_refused_total",
            "Events refused because the journal could not take them.",
            intake.refusedByJournal.count)
        metrics.counter("millrace_events_stored_total", "Events stored.", writer.stored.count)
        metrics.counter(
            "millrace_events_duplicates_total", "Events that were stored already.",
            writer.duplicates.count)
        metrics.counter(
            "millrace_events_tail_dropped_total", "Events that slow tails were not sent.",
            tail.dropped.count)
        metrics.gauge("millrace_events_tails", "Clients that follow the events.", tail.subscribers)
    }
}
