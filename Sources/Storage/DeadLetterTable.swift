import Primitives
import SQLite

/// The tables of dead letters and of sinks' positions. Changes belong to the writer's thread and
/// its transaction, reads to the thread that holds the connection.
struct DeadLetterTable {
    let connection: Connection

    func insert(
        _ letter: DeadLetterEntry, _ counters: inout StoreCounters
    ) throws(SQLiteError) {
        let insert = try connection.cached(
            """
            INSERT INTO dead_letters(sink, time, status, refusals, event)
            VALUES(?1, ?2, ?3, ?4, ?5)
            """)
        defer { insert.reset() }
        insert.bind(1, letter.sink)
        insert.bind(2, letter.time)
        insert.bind(3, Int64(letter.status))
        insert.bind(4, Int64(letter.refusals))
        insert.bind(5, borrowedBlob: letter.event.span)
        try insert.run()
        counters.deadLetterRows += 1
        counters.deadLetterBytes += Int64(letter.event.count)
    }

    func markReplayed(_ seqs: [Int64], at time: Int64) throws(SQLiteError) {
        let update = try connection.cached("UPDATE dead_letters SET replayed = ?2 WHERE seq = ?1")
        for seq in seqs {
            update.bind(1, seq)
            update.bind(2, time)
            try update.run()
        }
    }

    /// Looks at up to `limit` rows above `seq` and deletes those that an erasure asks for.
    func erase(
        _ judge: SetAsideJudge, after seq: Int64, limit: Int64, _ counters: inout StoreCounters
    ) throws(SQLiteError) -> SetAsideJudge.Step {
        let select = try connection.cached(
            "SELECT seq, time, event FROM dead_letters WHERE seq > ?1 ORDER BY seq LIMIT ?2")
        return try judge.step(select, after: seq, limit: limit) { (seq) throws(SQLiteError) in
            let delete = try connection.cached(
                "DELETE FROM dead_letters WHERE seq = ?1 RETURNING length(event)")
            defer { delete.reset() }
            delete.bind(1, seq)
            guard try delete.step() else { return }
            counters.deadLetterRows -= 1
            counters.deadLetterBytes -= delete.integer(0)
            try delete.run()
        }
    }

    /// Deletes the oldest until `limits` hold.
    func trim(to limits: DeadLetterLimits, _ counters: inout StoreCounters) throws(SQLiteError) {
        while counters.deadLetterRows > limits.rows || counters.deadLetterBytes > limits.bytes {
            let delete = try connection.cached(
                """
                DELETE FROM dead_letters WHERE seq = (SELECT min(seq) FROM dead_letters)
                RETURNING length(event)
                """)
            defer { delete.reset() }
            guard try delete.step() else { return }
            counters.deadLetterRows -= 1
            counters.deadLetterBytes -= delete.integer(0)
            counters.deadLetterTrimmed += 1
            try delete.run()
        }
    }

    /// Newest first, below `seq`, of one sink or of all. Ends before `byteLimit` is passed, but has
    /// at least one.
    func list(
        sink: String?, before seq: Int64, limit: Int, byteLimit: Int
    ) throws(SQLiteError) -> DeadLetterPage {
        let select = try connection.cached(
            """
            SELECT seq, sink, time, status, refusals, replayed, event FROM dead_letters
            WHERE seq < ?1 AND (?3 IS NULL OR sink = ?3) ORDER BY seq DESC LIMIT ?2
            """)
        select.bind(1, seq)
        // One more than the page holds says whether there is another page.
        select.bind(2, Int64(limit) + 1)
        if let sink { select.bind(3, sink) } else { select.bindNull(3) }
        return try page(select, limit: limit, byteLimit: byteLimit)
    }

    /// Oldest first, above `seq`, of those that were not yet delivered after all. Ends before
    /// `byteLimit` is passed, but has at least one.
    func waiting(
        sink: String, after seq: Int64, limit: Int, byteLimit: Int
    ) throws(SQLiteError) -> [DeadLetter] {
        let select = try connection.cached(
            """
            SELECT seq, sink, time, status, refusals, replayed, event FROM dead_letters
            WHERE seq > ?1 AND sink = ?3 AND replayed IS NULL ORDER BY seq LIMIT ?2
            """)
        select.bind(1, seq)
        select.bind(2, Int64(limit))
        select.bind(3, sink)
        return try page(select, limit: limit, byteLimit: byteLimit).letters
    }

    private func page(
        _ select: Statement, limit: Int, byteLimit: Int
    ) throws(SQLiteError) -> DeadLetterPage {
        defer { select.reset() }
        var page = DeadLetterPage()
        var bytes = 0
        while try select.step() {
            let event = select.bytes(6)
            bytes += event.count
            if let last = page.letters.last, page.letters.count == limit || bytes > byteLimit {
                page.next = last.seq
                break
            }
            page.letters.append(
                DeadLetter(
                    seq: select.integer(0), sink: select.text(1), time: select.integer(2),
                    status: Int(select.integer(3)), refusals: Int(select.integer(4)),
                    replayed: select.isNull(5) ? nil : select.integer(5), event: Bytes(event)))
        }
        return page
    }

    // MARK: Positions

    /// Where a sink goes on; nil if it has never been here.
    func position(of sink: String) throws(SQLiteError) -> Int64? {
        let select = try connection.cached("SELECT position FROM sinks WHERE name = ?1")
        defer { select.reset() }
        select.bind(1, sink)
        return try select.step() ? select.integer(0) : nil
    }

    func setPosition(_ position: Int64, of sink: String) throws(SQLiteError) {
        let upsert = try connection.cached(
            """
            INSERT INTO sinks(name, position) VALUES(?1, ?2)
            ON CONFLICT(name) DO UPDATE SET position = excluded.position
            """)
        upsert.bind(1, sink)
        upsert.bind(2, position)
        try upsert.run()
    }
}
