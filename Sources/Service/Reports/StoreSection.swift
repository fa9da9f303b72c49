import Ingest
import Journal
import Primitives
import Storage
import Telemetry

/// The store, what was refused on the way there, and what sinks gave up.
struct StoreSection: ReportSection {
    let opened: EventStore.Opened
    let journal: Journal
    let writer: EventWriter

    private func lag(_ status: StoreStatus) -> UInt64 {
        let committed = journal.committedSequence
        return committed - min(status.position, committed)
    }

    func add(to status: inout JSONObjectWriter) {
        status.object("store") { add(opened.store.status, to: &$0) }
    }

    private func add(_ status: StoreStatus, to body: inout JSONObjectWriter) {
        body.add("state", writer.failure == nil ? "ok" : "failed")
        body.add("rows", status.rows)
        body.add("bytes", status.fileBytes)
        body.add("wal_bytes", status.logBytes)
        body.add("position", status.position)
        body.add("durable_position", status.durablePosition)
        body.add("writer_lag_records", lag(status))
        body.add("set_aside", opened.setAside.map(StoreSection.name))
        body.object("quarantine") { quarantine in
            quarantine.add("rows", status.quarantined)
            quarantine.add("trimmed", status.quarantineTrimmed)
            quarantine.add("dropped", status.quarantineDropped)
        }
        body.object("dead_letters") { dead in
            dead.add("rows", status.deadLetters)
            dead.add("trimmed", status.deadLettersTrimmed)
        }
    }

    /// The last part of a path: where the data lies is nobody's business.
    private static func name(_ path: String) -> String {
        path.split(separator: "/").last.map(String.init) ?? path
    }

    func add(to metrics: inout MetricsText) {
        let status = opened.store.status
        metrics.gauge("millrace_store_rows", "Events in the store.", status.rows)
        metrics.gauge("millrace_store_size_bytes", "Database file.", status.fileBytes)
        metrics.gauge("millrace_store_wal_bytes", "Write-ahead log.", status.logBytes)
        metrics.gauge(
            "millrace_store_lag_records", "Journal records that are not stored yet.", lag(status))
        metrics.gauge(
            "millrace_store_ok", "1 while the store takes events.",
            writer.failure == nil ? 1 : 0)
        metrics.gauge("millrace_quarantine_rows", "Refused events kept.", status.quarantined)
        metrics.gauge("millrace_dead_letters_rows", "Dead letters kept.", status.deadLetters)
    }
}
