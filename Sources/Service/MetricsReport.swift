import Events
import HTTPServer
import Primitives
import Storage
import Telemetry

/// What `GET /metrics` tells, in the Prometheus text format.
struct MetricsReport: Sendable {
    let started: MonotonicTime
    let readiness: Readiness
    let journal: Journal
    let store: EventStore
    let writer: EventWriter
    let sinks: Sinks
    let intake: EventIntake
    let tail: TailHub
    let queryDuration: Histogram
    let server: HTTPServer
    let redis: RedisMetrics
    let keys: KeyReport
    let log: Logger

    func text() -> Bytes {
        var text = MetricsText()
        addHTTP(&text)
        addEvents(&text)
        addJournal(&text)
        addStore(&text)
        redis.add(to: &text)
        keys.add(to: &text)
        addSinks(&text)
        addProcess(&text)
        return text.finish()
    }

    private func addHTTP(_ text: inout MetricsText) {
        let duration = "http_server_request_duration_seconds"
        let templates = server.templates
        text.family(duration, .histogram, "Duration of HTTP requests.")
        for series in RequestMetrics.merged(server.metrics) {
            let labels: MetricsText.Labels = [
                "http_request_method": series.key.method.name,
                "http_route": series.key.route < 0 ? "" : templates[series.key.route],
                "http_response_status_code": "\(series.key.status)",
            ]
            text.sample(duration, labels, series.snapshot)
        }
        text.family("millrace_http_connections", .gauge, "Open connections.")
        text.sample("millrace_http_connections", [:], UInt64(server.openConnections))
        let refused = "millrace_http_refused_connections_total"
        text.family(refused, .counter, "Connections refused at the limit.")
        text.sample(refused, [:], server.refusedConnections)
        counter(
            &text, "millrace_http_malformed_requests_total",
            "Requests that are no HTTP, or too large to parse.", server.malformedRequests)
        gauge(
            &text, "millrace_http_body_memory_bytes", "Memory of request bodies above 16 KiB.",
            server.bodyBudget.usedBytes)
        counter(
            &text, "millrace_http_refused_bodies_total", "Bodies refused for want of memory.",
            server.bodyBudget.refused.count)
    }

    private func addEvents(_ text: inout MetricsText) {
        counter(&text, "millrace_events_accepted_total", "Events journaled.", intake.accepted.count)
        counter(
            &text, "millrace_events_rejected_total", "Bad events.",
            intake.rejected.count)
        counter(
            &text, "millrace_events_refused_total",
            "Events refused because the journal could not take them.",
            intake.refusedByJournal.count)
        counter(&text, "millrace_events_stored_total", "Events stored.", writer.stored.count)
        counter(
            &text, "millrace_events_duplicates_total", "Events that were stored already.",
            writer.duplicates.count)
        counter(
            &text, "millrace_events_tail_dropped_total", "Events that slow tails were not sent.",
            tail.dropped.count)
        gauge(&text, "millrace_events_tails", "Clients that follow the events.", tail.subscribers)
    }

    private func addJournal(_ text: inout MetricsText) {
        let status = journal.status
        gauge(&text, "millrace_journal_size_bytes", "Journal on disk.", status.bytesOnDisk)
        gauge(
            &text, "millrace_journal_retained_bytes", "Journal that some consumer still needs.",
            status.retainedBytes)
        gauge(&text, "millrace_journal_segments", "Segments in use.", status.segments)
        counter(&text, "millrace_journal_commits_total", "Group commits.", status.commits)
        counter(&text, "millrace_journal_failures_total", "Failed writes.", status.failures)
        counter(
            &text, "millrace_journal_damaged_records_total", "Damaged records found.",
            status.damage.damagedRecords)
        gauge(
            &text, "millrace_journal_ok", "1 while the journal takes events.",
            status.health == .ok ? 1 : 0)
    }

    private func addStore(_ text: inout MetricsText) {
        let status = store.status
        gauge(&text, "millrace_store_rows", "Events in the store.", status.rows)
        gauge(&text, "millrace_store_size_bytes", "Database file.", status.fileBytes)
        gauge(&text, "millrace_store_wal_bytes", "Write-ahead log.", status.logBytes)
        gauge(
            &text, "millrace_store_lag_records", "Journal records that are not stored yet.",
            journal.committedSequence - min(status.position, journal.committedSequence))
        gauge(
            &text, "millrace_store_ok", "1 while the store takes events.",
            writer.failure == nil ? 1 : 0)
        gauge(&text, "millrace_quarantine_rows", "Refused events kept.", status.quarantined)
        let name = "millrace_query_duration_seconds"
        text.family(name, .histogram, "Duration of queries, computed.")
        text.sample(name, [:], queryDuration.snapshot)
    }

    private func addProcess(_ text: inout MetricsText) {
        text.family("millrace_build_info", .gauge, "The version that runs.")
        text.sample("millrace_build_info", ["version": Version.current], UInt64(1))
        gauge(
            &text, "millrace_uptime_seconds", "Time since start.",
            Int(MonotonicTime.now().since(started).inSeconds))
        gauge(&text, "millrace_draining", "1 while stopping.", readiness.isDraining ? 1 : 0)
        text.family("millrace_log_dropped_total", .counter, "Log records dropped.")
        text.sample("millrace_log_dropped_total", ["reason": "queue_full"], log.dropped)
    }

    private func counter(
        _ text: inout MetricsText, _ name: String, _ help: String, _ value: UInt64
    ) {
        text.family(name, .counter, help)
        text.sample(name, [:], value)
    }

    func gauge(
        _ text: inout MetricsText, _ name: String, _ help: String, _ value: some BinaryInteger
    ) {
        text.family(name, .gauge, help)
        text.sample(name, [:], UInt64(clamping: value))
    }
}
