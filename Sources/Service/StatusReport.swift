import Events
import HTTPServer
import Primitives
import Storage
import Telemetry

/// What `GET /status` tells.
struct StatusReport: Sendable {
    let started: MonotonicTime
    let configuration: Configuration
    let readiness: Readiness
    let journal: Journal
    let opened: EventStore.Opened
    let writer: EventWriter
    let sinks: Sinks
    let intake: EventIntake
    let tail: TailHub
    let server: HTTPServer
    let redis: RedisReport
    let keys: KeyReport
    let log: Logger

    func json() -> ByteBuffer {
        var body = JSONObjectWriter()
        body.add("version", Version.current)
        body.add("uptime_seconds", MonotonicTime.now().since(started).inSeconds)
        body.add("draining", readiness.isDraining)
        let journalStatus = journal.status
        let storeStatus = opened.store.status
        body.object("durability") { durability(&$0, journalStatus) }
        body.object("journal") { addJournal(&$0, journalStatus, storeStatus) }
        body.object("store") { addStore(&$0, journalStatus, storeStatus) }
        body.object("events") { events in
            events.add("accepted", intake.accepted.count)
            events.add("rejected", intake.rejected.count)
            events.add("refused_by_journal", intake.refusedByJournal.count)
            events.add("stored", writer.stored.count)
            events.add("duplicates", writer.duplicates.count)
            events.add("tail_subscribers", tail.subscribers)
            events.add("tail_dropped", tail.dropped.count)
        }
        body.object("sinks") { addSinks(&$0) }
        body.object("http") { http in
            http.add("connections", server.openConnections)
            http.add("refused_connections", server.refusedConnections)
            http.add("malformed_requests", server.malformedRequests)
            http.add("body_bytes", server.bodyBudget.usedBytes)
            http.add("max_body_bytes", configuration.bodyMemoryBytes)
            http.add("refused_bodies", server.bodyBudget.refused.count)
            http.add("event_loops", configuration.loops)
        }
        body.object("logger") { logger in
            logger.add("level", log.level.name)
            logger.add("queued_bytes", log.queuedBytes)
            logger.object("dropped") { $0.add("queue_full", log.dropped) }
        }
        redis.add(to: &body)
        keys.add(to: &body)
        return body.finish()
    }

    private func durability(_ body: inout JSONObjectWriter, _ status: JournalStatus) {
        body.add("journal_sync", status.sync.name)
        if case .interval(let interval) = status.sync {
            body.add("journal_sync_interval_ms", interval.wholeMilliseconds)
        }
        body.add("acknowledged_means", status.sync.meaning)
    }

    private func addJournal(
        _ body: inout JSONObjectWriter, _ status: JournalStatus, _ store: StoreStatus
    ) {
        body.add("state", status.health.name)
        body.add("bytes", status.bytesOnDisk)
        body.add("retained_bytes", status.retainedBytes)
        body.add("max_bytes", configuration.journalMaxBytes)
        body.add("segments", status.segments)
        body.add("spare_segments", status.spareSegments)
        body.add("first_sequence", status.firstSequence)
        body.add("next_sequence", status.nextSequence)
        body.add("committed_sequence", status.committedSequence)
        body.add(
            "unstored", status.committedSequence - min(store.position, status.committedSequence))
        if let streams = redis.clients.streams { body.add("unforwarded", streams.unforwarded) }
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

    /// The last part of a path: where the data lies is nobody's business.
    private static func name(_ path: String) -> String {
        path.split(separator: "/").last.map(String.init) ?? path
    }

    private func addStore(
        _ body: inout JSONObjectWriter, _ journal: JournalStatus, _ status: StoreStatus
    ) {
        body.add("state", writer.failure == nil ? "ok" : "failed")
        body.add("rows", status.rows)
        body.add("bytes", status.fileBytes)
        body.add("wal_bytes", status.logBytes)
        body.add("position", status.position)
        body.add("durable_position", status.durablePosition)
        body.add(
            "writer_lag_records",
            journal.committedSequence - min(status.position, journal.committedSequence))
        body.add("set_aside", opened.setAside.map(StatusReport.name))
        body.object("quarantine") { quarantine in
            quarantine.add("rows", status.quarantined)
            quarantine.add("trimmed", status.quarantineTrimmed)
            quarantine.add("dropped", status.quarantineDropped)
        }
        body.object("dead_letters") { addDeadLetters(&$0, status) }
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
