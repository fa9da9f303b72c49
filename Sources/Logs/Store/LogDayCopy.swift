internal import Glibc
import Primitives
import SQLite
import Storage

/// Writes a day's file anew without some of its records, beside the old one: the one way to take
/// something out, since no page, index or write-ahead log of the new file holds its text.
///
///     let copy = LogDayCopy(from: lease.path, to: temporary, without: .services(["noisy"]))
///     try copy.run { isStopped }
///
/// Rows keep their ids and numbers, so cursors and tails hold. One thread; nobody else may have the
/// new file open.
struct LogDayCopy: Sendable {
    /// Which records are left out.
    enum Unwanted: Sendable {
        case matching(LogFilter)
        /// The empty name stands for records without a service.
        case services([String])
    }

    /// Rows in one transaction of the new file.
    private static let rowsAtOnce = 20_000

    let old: String
    let new: String
    let day: LogDay
    let unwanted: Unwanted

    init(from old: String, to new: String, _ day: LogDay, without unwanted: Unwanted) {
        self.old = old
        self.new = new
        self.day = day
        self.unwanted = unwanted
    }

    /// Copies what is in the old file now, which may be written to meanwhile.
    /// - Parameters:
    ///   - arrival: only records with a higher number, into a new file that has the others.
    ///   - isOver: asked now and then; once it is true the copy is given up.
    /// - Returns: the highest number in the old file; nil if it was given up.
    func run(
        after arrival: Int64 = 0, isOver: () -> Bool = { false }
    ) throws(StorageError) -> Int64? {
        let source: Connection
        let rows: Statement
        var erased: Set<Int64> = []
        let highest: Int64
        do throws(SQLiteError) {
            source = try Connection(path: old, role: .reader)
            try source.execute("BEGIN")
            highest = try source.integer("SELECT arrival FROM meta") ?? 0
            if case .matching(let filter) = unwanted { erased = try ids(source, filter) }
            rows = try select(source, after: arrival)
        } catch { throw StorageError(error, old) }
        let target = try LogDayWriter(path: new)
        var hasMore = true
        while hasMore {
            guard !isOver() else { return nil }
            var copied = 0
            try target.write(arrival: 0) { () throws(StorageError) in
                while copied < LogDayCopy.rowsAtOnce {
                    do throws(SQLiteError) { hasMore = try rows.step() } catch {
                        throw StorageError(error, old)
                    }
                    guard hasMore else { return }
                    let id = rows.integer(0)
                    guard !erased.contains(id) else { continue }
                    try target.append(
                        LogRowQuery.record(rows), id: id, arrival: rows.integer(3))
                    copied += 1
                }
            }
            try target.checkpointIfDue()
        }
        // The number of a record that is left out is not given again either.
        try target.note(arrival: highest)
        try target.finish()
        return highest
    }

    private func ids(
        _ source: Connection, _ filter: LogFilter
    ) throws(SQLiteError) -> Set<Int64> {
        var ids: Set<Int64> = []
        let query = LogRowQuery(filter, day: day)
        let found = try source.prepare("SELECT \(query.idColumn) \(query.source)")
        found.bind(query.values)
        while try found.step() { ids.insert(found.integer(0)) }
        return ids
    }

    private func select(
        _ source: Connection, after arrival: Int64
    ) throws(SQLiteError) -> Statement {
        var conditions: [String] = []
        var values: [SQLValue] = []
        if arrival > 0 {
            conditions.append("r.arrival > ?")
            values.append(.integer(arrival))
        }
        if case .services(let services) = unwanted {
            if services.contains("") { conditions.append("r.service IS NOT NULL") }
            let named = services.filter { !$0.isEmpty }
            let marks = named.map { _ in "?" }.joined(separator: ", ")
            conditions.append(
                "(r.service IS NULL OR r.service NOT IN "
                    + "(SELECT id FROM names WHERE text IN (\(marks))))")
            values += named.map { .text($0) }
        }
        let condition = conditions.isEmpty ? "" : "WHERE " + conditions.joined(separator: " AND ")
        let rows = try source.prepare(
            "SELECT \(LogRowQuery.columns) FROM records AS r \(condition) ORDER BY id")
        rows.bind(values)
        return rows
    }

    /// Removes what there is of the new file.
    func discard() {
        for suffix in LogCatalog.suffixes { unlink(new + suffix) }
    }
}
