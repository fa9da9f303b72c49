import Journal
import Primitives
import Storage
import Streams
import Telemetry

/// What a 202 promises, and the journal that keeps the promise.
struct JournalSection: ReportSection {
    let journal: Journal
    let store: EventStore
    let streams: EventStreams?
    let maxBytes: Int

    func add(to status: inout JSONObjectWriter) {
        let journal = self.journal.status
        status.object("durability") { durability(&$0, journal) }
        status.object("journal") { add(journal, to: &$0) }
    }

    private func durability(_ body: inout JSONObjectWriter, _ status: JournalStatus) {
        body.add("journal_sync", status.sync.name)
        if case .interval(let interval) = status.sync {
            body.add("journal_sync_interval_ms", interval.wholeMilliseconds)
        }
        body.add("acknowledged_means", status.sync.meaning)
    }

    private func add(_ status: JournalStatus, to body: inout JSONObjectWriter) {
        body.add("state", status.health.name)
        body.add("bytes", status.bytesOnDisk)
        body.add("retained_bytes", status.retainedBytes)
        body.add("max_bytes", maxBytes)
        body.add("segments", status.segments)
        body.add("spare_segments", status.spareSegments)
        body.add("first_sequence", status.firstSequence)
        body.add("next_sequence", status.nextSequence)
        body.add("committed_sequence", status.committedSequence)
        body.add(
            "unstored",
            status.committedSequence - min(store.status.position, status.committedSequence))
        if let streams { body.add("unforwarded", streams.unforwarded) }
        body.add("commits", status.commits)
        body.add("failures", status.failures)
        body.add("sync_microseconds", status.syncMicroseconds)
        body.object("damage") { damage in
            damage.add("damaged_records", status.damage.damagedRecords)
            damage.add("missing_records", status.damage.missingRecords)
            damage.add("tail_records", status.damage.tailRecords)
            damage.add("set_aside", status.damage.setAside)
        }
    }

    func add(to metrics: inout MetricsText) {
        let status = journal.status
        metrics.gauge("millrace_journal_size_bytes", "Journal on disk.", status.bytesOnDisk)
        metrics.gauge(
            "millrace_journal_retained_bytes", "Journal that some consumer still needs.",
            status.retainedBytes)
        metrics.gauge("millrace_journal_segments", "Segments in use.", status.segments)
        metrics.counter("millrace_journal_commits_total", "Group commits.", status.commits)
        metrics.counter("millrace_journal_failures_total", "Failed writes.", status.failures)
        metrics.counter(
            "millrace_journal_damaged_records_total", "Damaged records found.",
            status.damage.damagedRecords)
        metrics.gauge(
            "millrace_journal_ok", "1 while the journal takes events.",
            status.health == .ok ? 1 : 0)
    }
}

extension JournalOptions.Sync {
    /// What a 202 promises, for people.
    var meaning: String {
        switch self {
        case .always: "synced to this node's disk"
        case .interval(let interval):
            "written; a crash of the machine can lose the last \(interval.wholeMilliseconds) ms"
        }
    }
}
