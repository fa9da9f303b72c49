import Primitives
import SQLite

/// Taking away the names of types and sources that no event has any more. Retention deletes the
/// events; this follows it, a step at a time.
///
/// DESIGN. Two things make it more than a DELETE.
///
/// - *Generations only grow.* What a type has counted moves to `Generations.retiredType` when its
///   name goes, so sums over all types stay what they were. A question that names a type which is
///   not there gets `StoreCounters.generationFloor` for it: at least what any type that has gone
///   ever counted. A type that comes (again) begins there. So no sum is met a second time with
///   other rows.
/// - *No number is given out twice.* Rollups and their masks know types and sources by their
///   numbers. SQLite gives a new row the highest number there is plus one, so the row with that
///   number stays, with a random name, until another one is higher.
///
/// A type has events only in the minutes that its generations name, so types cost one look each.
/// For sources the rows are looked at, the newest first, until every source has been seen: where
/// none is unused, that is after a few steps. Sources that are stored meanwhile are seen by
/// `NameDictionary.watch`. The writer's thread only.
extension EventStore {
    /// Sources of one search; their numbers take some 2 MiB.
    private static let searchedSources = 50_000
    /// Rows that one step looks at: some 5 ms.
    private static let lookedAtRows: Int64 = 10_000
    /// Names that one step takes away: some 10 ms.
    private static let removedNames = 1000

    /// One step.
    /// - Returns: whether every name has been looked at.
    func removeUnusedNames(
        rows: Int64 = EventStore.lookedAtRows, names: Int = EventStore.removedNames
    ) throws(StorageError) -> Bool {
        let writer = try writer()
        guard var search = writer.sourceSearch else {
            if try removeUnusedTypes(writer, limit: names) {
                writer.sourceSearch = try beginSearch(writer, after: 0)
            }
            return false
        }
        if !search.isOver(writer.inserter.sources) {
            try attempt(path) { () throws(SQLiteError) in
                try search.look(writer.connection, writer.inserter.sources, limit: rows)
            }
            writer.sourceSearch = search
            return false
        }
        guard try removeUnusedSources(writer, limit: names) else { return false }
        writer.sourceSearch = search.isLast ? nil : try beginSearch(writer, after: search.lastID)
        return search.isLast
    }

    private func beginSearch(
        _ writer: StoreWriter, after id: Int64
    ) throws(StorageError) -> SourceSearch {
        try attempt(path) { () throws(SQLiteError) in
            try SourceSearch(
                writer.connection, writer.inserter.sources, after: id,
                limit: EventStore.searchedSources)
        }
    }

    /// - Returns: whether there are no more.
    private func removeUnusedTypes(
        _ writer: StoreWriter, limit: Int
    ) throws(StorageError) -> Bool {
        let unused = try attempt(path) { () throws(SQLiteError) in
            try UnusedTypes(writer.connection).find(limit: limit)
        }
        try remove(unused, writer) { (counters) throws(SQLiteError) in
            let types = UnusedTypes(writer.connection)
            for id in unused { try types.remove(id) }
            counters.raiseGenerationFloor()
        }
        return unused.count < limit
    }

    /// - Returns: whether there are no more.
    private func removeUnusedSources(
        _ writer: StoreWriter, limit: Int
    ) throws(StorageError) -> Bool {
        let unused = Array(writer.inserter.sources.unseen.prefix(limit))
        try remove(unused, writer) { (_) throws(SQLiteError) in
            let names = NameRows(table: "event_sources", writer.connection)
            for id in unused { try names.remove(id) }
        }
        for id in unused { writer.inserter.sources.noteSeen(id) }
        return writer.inserter.sources.unseen.isEmpty
    }

    private func remove(
        _ unused: [Int64], _ writer: StoreWriter,
        _ body: (inout StoreCounters) throws(SQLiteError) -> Void
    ) throws(StorageError) {
        guard !unused.isEmpty else { return }
        try writer.transact { (counters) throws(StorageError) in
            try attempt(path) { () throws(SQLiteError) in try body(&counters) }
        }
        writer.inserter.forgetNames()
    }
}

/// The search for sources that no row has.
struct SourceSearch {
    /// The last source that is searched for.
    let lastID: Int64
    /// There are no sources after it.
    let isLast: Bool
    /// Rows from it on have been looked at.
    private var seq = Int64.max

    /// Begins to watch some sources.
    init(
        _ connection: Connection, _ sources: NameDictionary, after id: Int64, limit: Int
    ) throws(SQLiteError) {
        let select = try connection.cached(
            "SELECT id FROM event_sources WHERE id > ?1 ORDER BY id LIMIT ?2")
        defer { select.reset() }
        select.bind(1, id)
        select.bind(2, Int64(limit))
        var ids: [Int64] = []
        while try select.step() { ids.append(select.integer(0)) }
        lastID = ids.last ?? id
        isLast = ids.count < limit
        sources.watch(Set(ids))
    }

    /// Whether what is unseen now is unused.
    func isOver(_ sources: NameDictionary) -> Bool { seq == .min || sources.unseen.isEmpty }

    /// Looks at some rows.
    mutating func look(
        _ connection: Connection, _ sources: NameDictionary, limit: Int64
    ) throws(SQLiteError) {
        let select = try connection.cached(
            "SELECT seq, source_id FROM event_rows WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2")
        defer { select.reset() }
        select.bind(1, seq)
        select.bind(2, limit)
        var rows: Int64 = 0
        while try select.step() {
            rows += 1
            seq = select.integer(0)
            sources.noteSeen(select.integer(1))
        }
        if rows < limit { seq = .min }
    }
}

/// Types without events, within a transaction.
private struct UnusedTypes {
    private let connection: Connection

    init(_ connection: Connection) { self.connection = connection }

    func find(limit: Int) throws(SQLiteError) -> [Int64] {
        let rows = NameRows(table: "event_types", connection)
        let select = try connection.cached(
            """
            SELECT id FROM event_types t WHERE NOT EXISTS
                (SELECT 1 FROM generations WHERE type_id = t.id AND minute > ?1)
            ORDER BY id LIMIT ?2
            """)
        defer { select.reset() }
        select.bind(1, Generations.foldedMinute)
        select.bind(2, Int64(limit))
        var ids: [Int64] = []
        while try select.step() {
            if try !rows.isNameless(select.integer(0)) { ids.append(select.integer(0)) }
        }
        return ids
    }

    func remove(_ id: Int64) throws(SQLiteError) {
        guard try NameRows(table: "event_types", connection).remove(id) else { return }
        let select = try connection.cached(
            "SELECT count, set_hash FROM generations WHERE type_id = ?1")
        defer { select.reset() }
        select.bind(1, id)
        var sum = GenerationChange()
        while try select.step() {
            sum.add(
                GenerationChange(
                    changes: select.integer(0), hash: UInt64(bitPattern: select.integer(1))))
        }
        try sum.write(
            connection, type: Generations.retiredType, minute: Generations.foldedMinute)
        for table in ["generations", "generation_days"] {
            let delete = try connection.cached("DELETE FROM \(table) WHERE type_id = ?1")
            delete.bind(1, id)
            try delete.run()
        }
    }
}

/// The rows of a table of names, which are taken away.
private struct NameRows {
    private static let prefix = "unused:"

    let table: String
    let connection: Connection

    init(table: String, _ connection: Connection) {
        self.table = table
        self.connection = connection
    }

    /// Whether the row has the highest number and has lost its name already.
    func isNameless(_ id: Int64) throws(SQLiteError) -> Bool {
        let select = try connection.cached("SELECT name FROM \(table) WHERE id = ?1")
        defer { select.reset() }
        select.bind(1, id)
        guard try id == highest, try select.step() else { return false }
        return select.text(0).hasPrefix(NameRows.prefix)
    }

    /// Takes the row away, or only its name where no higher number was given out.
    /// - Returns: whether the row has gone.
    @discardableResult
    func remove(_ id: Int64) throws(SQLiteError) -> Bool {
        guard try id == highest else {
            let delete = try connection.cached("DELETE FROM \(table) WHERE id = ?1")
            delete.bind(1, id)
            try delete.run()
            return true
        }
        let update = try connection.cached("UPDATE \(table) SET name = ?2 WHERE id = ?1")
        update.bind(1, id)
        // Random, so that no name of a client's is in the way.
        update.bind(2, "\(NameRows.prefix)\(UInt64.random(in: .min ... .max))")
        try update.run()
        return false
    }

    private var highest: Int64? {
        get throws(SQLiteError) { try connection.integer("SELECT max(id) FROM \(table)") }
    }
}
