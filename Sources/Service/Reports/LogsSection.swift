import Logs
import Primitives
import Telemetry

/// Logs of others, on their way in, into the store, and out by tails.
struct LogsSection: ReportSection {
    let intake: LogIntake
    let store: LogStoreCounters
    let queued: @Sendable () -> (bytes: Int, records: Int)
    /// Nil where logs are not searched.
    let tail: TailHub<LogTailSource>?

    func add(to status: inout JSONObjectWriter) {
        let (counters, stored, queued) = (intake.counters, store, queued())
        status.object("logs") { logs in
            logs.add("accepted", counters.accepted.count)
            logs.add("rejected", counters.rejected.count)
            logs.add("refused_overloaded", counters.refused.count)
            logs.add("queued", queued.records)
            logs.add("queued_bytes", queued.bytes)
            logs.add("stored", stored.stored.count)
            logs.add("too_old", stored.tooOld.count)
            logs.add("expired", stored.expired.count)
            logs.add("lost", stored.lost.count)
            logs.add("write_failures", stored.failures.count)
            logs.add("days", stored.days.value)
            logs.add("bytes", stored.bytes.value)
            logs.add("days_dropped", stored.dropped.count)
            logs.add("files_set_aside", stored.damaged.count)
            logs.add("set_aside", stored.setAside.value)
            guard let tail else { return }
            logs.add("tail_subscribers", tail.subscribers)
            logs.add("tail_dropped", tail.dropped.count)
        }
    }

    func add(to metrics: inout MetricsText) {
        let (counters, stored, queued) = (intake.counters, store, queued())
        metrics.counter(
            "millrace_logs_accepted_total", "Log records queued.", counters.accepted.count)
        metrics.counter(
            "millrace_logs_rejected_total", "Bad log records.", counters.rejected.count)
        metrics.counter(
            "millrace_logs_refused_total", "Log records refused because the queue was full.",
            counters.refused.count)
        metrics.counter(
            "millrace_logs_stored_total", "Log records stored.", stored.stored.count)
        let dropped = "millrace_logs_dropped_total"
        metrics.family(dropped, .counter, "Log records that were accepted and not kept.")
        metrics.sample(dropped, ["reason": "too_old"], stored.tooOld.count)
        metrics.sample(dropped, ["reason": "disk"], stored.lost.count)
        metrics.counter(
            "millrace_logs_write_failures_total", "Writes of logs that failed and were repeated.",
            stored.failures.count)
        metrics.counter(
            "millrace_logs_days_dropped_total", "Days of logs that retention dropped.",
            stored.dropped.count)
        metrics.counter(
            "millrace_logs_expired_total",
            "Log records that the age of their service took out of days that others stay in.",
            stored.expired.count)
        metrics.gauge(
            "millrace_logs_queued", "Log records that wait to be written.", queued.records)
        metrics.gauge(
            "millrace_logs_queued_bytes", "Bytes of log records that wait.", queued.bytes)
        metrics.gauge("millrace_logs_bytes", "Size of all stored logs.", stored.bytes.value)
        metrics.gauge(
            "millrace_logs_set_aside", "Damaged files of logs that are still there.",
            stored.setAside.value)
        metrics.gauge("millrace_logs_days", "Days of stored logs.", stored.days.value)
        guard let tail else { return }
        metrics.counter(
            "millrace_logs_tail_dropped_total", "Log records that slow tails were not sent.",
            tail.dropped.count)
        metrics.gauge("millrace_logs_tails", "Clients that follow the logs.", tail.subscribers)
    }
}
