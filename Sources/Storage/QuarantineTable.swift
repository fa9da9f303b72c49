import Primitives
import SQLite

/// The table of refused events. Changes belong to the writer's thread and its transaction, reads
/// to the thread that holds the connection.
struct QuarantineTable {
    let connection: Connection

    /// Carries out `change` and keeps the counters right.
    func apply(
        _ change: QuarantineInbox.Change, _ counters: inout StoreCounters
    ) throws(SQLiteError) {
        switch change {
        case .add(let entry): try insert(entry, &counters)
        case .replayed(let seqs, let time):
            let update = try connection.cached(
                "UPDATE quarantine SET replayed = ?2 WHERE seq = ?1")
            for seq in seqs {
                update.bind(1, seq)
                update.bind(2, time)
                try update.run()
            }
        case .delete(let seqs): for seq in seqs { try delete(seq, &counters) }
        }
    }

    /// Keeps what was refused, unless it came out of a stream and is there already.
    func insert(_ entry: QuarantineEntry, _ counters: inout StoreCounters) throws(SQLiteError) {
        let insert = try connection.cached(
            """
            INSERT INTO quarantine(received, code, detail, content_type, raw, preview, stream_entry)
            SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7 WHERE ?7 IS NULL OR NOT EXISTS(
                SELECT 1 FROM quarantine
                WHERE stream_entry = ?7 AND code = ?2 AND detail = ?3 AND raw = ?5)
            """)
        defer { insert.reset() }
        insert.bind(1, entry.received)
        insert.bind(2, entry.code)
        insert.bind(3, entry.detail)
        insert.bind(4, entry.contentType)
        insert.bind(5, borrowedBlob: entry.raw.span)
        insert.bind(6, entry.preview)
        if let place = entry.streamEntry { insert.bind(7, place) } else { insert.bindNull(7) }
        try insert.run()
        guard connection.changes > 0 else { return }
        counters.quarantineRows += 1
        counters.quarantineBytes += Int64(entry.raw.count)
    }

    /// Deletes the oldest until `limits` hold.
    func trim(to limits: QuarantineLimits, _ counters: inout StoreCounters) throws(SQLiteError) {
        while counters.quarantineRows > limits.rows || counters.quarantineBytes > limits.bytes {
            guard let oldest = try connection.integer("SELECT min(seq) FROM quarantine"),
                oldest > 0
            else { return }
            try delete(oldest, &counters)
            counters.quarantineTrimmed += 1
        }
    }

    /// Looks at up to `limit` rows above `seq` and deletes those that an erasure asks for.
    func erase(
        _ judge: SetAsideJudge, after seq: Int64, limit: Int64, _ counters: inout StoreCounters
    ) throws(SQLiteError) -> SetAsideJudge.Step {
        let select = try connection.cached(
            "SELECT seq, received, raw FROM quarantine WHERE seq > ?1 ORDER BY seq LIMIT ?2")
        return try judge.step(select, after: seq, limit: limit) { (seq) throws(SQLiteError) in
            try delete(seq, &counters)
        }
    }

    private func delete(_ seq: Int64, _ counters: inout StoreCounters) throws(SQLiteError) {
        let delete = try connection.cached(
            "DELETE FROM quarantine WHERE seq = ?1 RETURNING length(raw)")
        defer { delete.reset() }
        delete.bind(1, seq)
        guard try delete.step() else { return }
        counters.quarantineRows -= 1
        counters.quarantineBytes -= delete.integer(0)
        try delete.run()
    }

    /// Newest first, below `seq`.
    func list(before seq: Int64, limit: Int) throws(SQLiteError) -> [QuarantinedEvent] {
        let select = try connection.cached(
            """
            SELECT seq, received, code, detail, content_type, preview, length(raw), replayed,
                stream_entry
            FROM quarantine WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2
            """)
        select.bind(1, seq)
        select.bind(2, Int64(limit))
        var events: [QuarantinedEvent] = []
        while try select.step() {
            events.append(
                QuarantinedEvent(
                    seq: select.integer(0), received: select.integer(1), code: select.text(2),
                    detail: select.text(3), contentType: select.text(4), preview: select.text(5),
                    rawBytes: Int(select.integer(6)),
                    streamEntry: select.isNull(8) ? nil : select.text(8),
                    replayed: select.isNull(7) ? nil : select.integer(7)))
        }
        return events
    }

    /// Oldest first, above `seq`, of those that were not yet tried again with success. Ends before
    /// `byteLimit` is passed, but has at least one.
    func raw(
        after seq: Int64, limit: Int, byteLimit: Int
    ) throws(SQLiteError) -> [QuarantinedRaw] {
        let select = try connection.cached(
            """
            SELECT seq, received, content_type, raw FROM quarantine
            WHERE seq > ?1 AND replayed IS NULL ORDER BY seq LIMIT ?2
            """)
        defer { select.reset() }
        select.bind(1, seq)
        select.bind(2, Int64(limit))
        var events: [QuarantinedRaw] = []
        var bytes = 0
        while try select.step() {
            let raw = select.bytes(3)
            bytes += raw.count
            if bytes > byteLimit, !events.isEmpty { break }
            events.append(
                QuarantinedRaw(
                    seq: select.integer(0), received: select.integer(1),
                    contentType: select.text(2), raw: Bytes(raw)))
        }
        return events
    }
}
