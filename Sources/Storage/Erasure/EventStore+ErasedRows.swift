import Primitives
import SQLite

/// The stages of an erasure that go through tables of the store, a part of them in each transaction.
extension EventStore {
    /// Rows of a table that one step looks at: some 20 ms.
    private static let lookedAtRows: Int64 = 20_000
    /// Rows that one step deletes: some 20 ms.
    private static let deletedRows = 1000
    /// Rows of quarantine or dead letters, which are parsed.
    private static let parsedRows: Int64 = 500

    // MARK: Rows

    /// Looks at some rows and deletes those that match. Their identities stay.
    func eraseRows(
        _ erasure: Erasure, _ matcher: ErasureMatcher, _ writer: StoreWriter
    ) throws(StorageError) {
        let found = try attempt(path) { () throws(SQLiteError) in
            try RowMatches(
                matcher, writer.connection, after: erasure.examined, through: erasure.through,
                limit: EventStore.lookedAtRows, matchLimit: EventStore.deletedRows)
        }
        try advance(erasure, writer) { (next, counters) throws(SQLiteError) in
            var deletion = RowDeletion(writer.connection, counters, options.derived)
            let identities = ErasedIdentities(
                connection: writer.connection, secret: writer.identities.secret)
            let select = try writer.connection.cached(
                "SELECT \(deletion.columns) FROM event_rows WHERE seq = ?1")
            for seq in found.seqs {
                select.bind(1, seq)
                if try select.step() {
                    let identity = try deletion.add(select).identity
                    try identities.insert(
                        seq: seq, key: select.key(4) ?? Key128(high: 0, low: 0),
                        isGenerated: select.isNull(5), identity: identity)
                }
                select.rewind()
            }
            next.events += Int64(deletion.count)
            counters.erasedIdentities += Int64(deletion.count)
            try deletion.run(&counters)
            next.examined = found.last
            if found.last >= erasure.through { next.begin(.quarantine) }
        }
    }

    // MARK: Quarantine and dead letters

    /// Looks at some rows of quarantine, or of the dead letters, and deletes those that match.
    func eraseSetAside(
        _ erasure: Erasure, _ matcher: ErasureMatcher, _ writer: StoreWriter
    ) throws(StorageError) {
        let judge = SetAsideJudge(ErasureFilter(matcher))
        let limit = EventStore.parsedRows
        try advance(erasure, writer) { (next, counters) throws(SQLiteError) in
            let step: SetAsideJudge.Step
            if erasure.stage == .quarantine {
                step = try QuarantineTable(connection: writer.connection)
                    .erase(judge, after: erasure.examined, limit: limit, &counters)
                next.quarantined += step.deleted
            } else {
                step = try DeadLetterTable(connection: writer.connection)
                    .erase(judge, after: erasure.examined, limit: limit, &counters)
                next.deadLetters += step.deleted
            }
            next.examined = step.last
            guard step.isDone else { return }
            next.begin(erasure.stage == .quarantine ? .deadLetters : .names)
        }
    }

    // MARK: Names

    /// Looks which types and sources events have, and at the end takes away the names of the others.
    func eraseNames(_ erasure: Erasure, _ writer: StoreWriter) throws(StorageError) {
        let lastSeq = writer.counters.lastSeq
        let limit = EventStore.lookedAtRows
        var names = writer.namesInUse ?? NamesInUse()
        try attempt(path) { () throws(SQLiteError) in
            try names.look(writer.connection, limit: limit)
        }
        writer.namesInUse = names
        guard names.last >= lastSeq else { return }
        writer.namesInUse = nil
        try advance(erasure, writer) { (next, counters) throws(SQLiteError) in
            try names.removeOthers(writer.connection)
            counters.raiseGenerationFloor()
            next.begin(.copies)
        }
        writer.inserter.forgetNames()
    }
}

extension Erasure {
    /// Goes on to the next stage.
    fileprivate mutating func begin(_ stage: Stage) {
        self.stage = stage
        examined = 0
    }
}

/// Some rows in the order of storing, and which of them an erasure asks for.
private struct RowMatches {
    private(set) var seqs: [Int64] = []
    /// Rows up to it have been looked at.
    private(set) var last: Int64

    init(
        _ matcher: ErasureMatcher, _ connection: Connection, after first: Int64,
        through end: Int64, limit: Int64, matchLimit: Int
    ) throws(SQLiteError) {
        let types = try RowMatches.ids("event_types", connection, matcher.matches(type:))
        let sources = try RowMatches.ids("event_sources", connection, matcher.matches(source:))
        let select = try connection.cached(
            """
            SELECT seq, time, type_id, source_id, subject FROM event_rows
            WHERE seq > ?1 AND seq <= ?2 ORDER BY seq LIMIT ?3
            """)
        defer { select.reset() }
        select.bind(1, first)
        select.bind(2, end)
        select.bind(3, limit)
        last = first
        var rows: Int64 = 0
        while try select.step() {
            rows += 1
            last = select.integer(0)
            guard matcher.matches(time: select.integer(1)), types.contains(select.integer(2)),
                sources.contains(select.integer(3)),
                matcher.matches(subject: select.bytesOrNil(4))
            else { continue }
            seqs.append(last)
            if seqs.count == matchLimit { return }
        }
        if rows < limit { last = end }
    }

    private static func ids(
        _ table: String, _ connection: Connection, _ matches: (UnsafeRawBufferPointer) -> Bool
    ) throws(SQLiteError) -> Set<Int64> {
        let select = try connection.cached("SELECT id, name FROM \(table)")
        defer { select.reset() }
        var ids: Set<Int64> = []
        while try select.step() {
            if matches(select.bytes(1)) { ids.insert(select.integer(0)) }
        }
        return ids
    }
}

/// The types and sources that events have, gathered row by row. The writer's thread.
struct NamesInUse {
    private var types: Set<Int64> = []
    private var sources: Set<Int64> = []
    /// Rows up to it have been looked at.
    private(set) var last: Int64 = 0

    /// Looks at the next rows.
    mutating func look(_ connection: Connection, limit: Int64) throws(SQLiteError) {
        let select = try connection.cached(
            """
            SELECT seq, type_id, source_id FROM event_rows WHERE seq > ?1 ORDER BY seq LIMIT ?2
            """)
        defer { select.reset() }
        select.bind(1, last)
        select.bind(2, limit)
        var rows: Int64 = 0
        while try select.step() {
            rows += 1
            last = select.integer(0)
            types.insert(select.integer(1))
            sources.insert(select.integer(2))
        }
        if rows < limit { last = .max }
    }

    /// Puts a number in the place of each name that is not in use. The row stays: generations know
    /// the type by its number, and sums over all types must not go down.
    func removeOthers(_ connection: Connection) throws(SQLiteError) {
        for (table, used) in [("event_types", types), ("event_sources", sources)] {
            let select = try connection.cached("SELECT id FROM \(table)")
            var others: [Int64] = []
            while try select.step() {
                if !used.contains(select.integer(0)) { others.append(select.integer(0)) }
            }
            let update = try connection.cached("UPDATE \(table) SET name = ?2 WHERE id = ?1")
            defer { update.reset() }
            for id in others {
                update.bind(1, id)
                // Random, so that no name of a client's is in the way.
                update.bind(2, "erased:\(UInt64.random(in: .min ... .max))")
                try update.run()
            }
        }
    }
}
