import Primitives
import SQLite
import Storage

/// A part of the records that were asked for, newest first.
package struct LogPage: Sendable {
    /// JSON objects with commas between.
    package let records: Bytes
    package let count: Int
    /// Where the next page begins; nil at the end.
    package let next: LogCursor?
}

extension LogStore {
    /// A page ends with the record that passes this.
    private static let pageBytes = 8 << 20

    /// The newest records that `filter` asks for. Blocks: for a worker.
    /// - Parameters:
    ///   - before: where the page before this one ended.
    ///   - limit: at least 1.
    /// - Throws: `deadline` if that is not enough time.
    package func page(
        _ filter: LogFilter, before: LogCursor?, limit: Int, deadline: Deadline
    ) throws(StorageError) -> LogPage {
        var json = ByteBuffer(capacity: 4096)
        var count = 0
        var last: LogCursor?
        var hasMore = false
        try eachDay(filter, notAfter: before?.day, deadline: deadline) {
            (connection, day) throws(SQLiteError) in
            let below = before?.day == day ? before?.id : nil
            let query = LogRowQuery(filter, day: day, below: below)
            let statement = try connection.prepare(
                "SELECT \(LogRowQuery.columns) \(query.source) "
                    + "ORDER BY \(query.idColumn) DESC LIMIT \(limit - count + 1)")
            statement.bind(query.values)
            while try statement.step() {
                guard count < limit else {
                    hasMore = true
                    return false
                }
                if count > 0 { json.append(",") }
                let id = LogCursor(day: day, id: statement.integer(0))
                json.append(json: LogRowQuery.record(statement), id: id)
                last = id
                count += 1
                guard json.count < LogStore.pageBytes else {
                    hasMore = true
                    return false
                }
            }
            return true
        }
        return LogPage(records: json.freeze(), count: count, next: hasMore ? last : nil)
    }

    /// Opens the files of the days that `filter` asks for, newest first, until `body` says that it
    /// has enough.
    /// - Parameters:
    ///   - onDamage: is told of a file that cannot be read, in place of having it set aside.
    ///   - body: is false once no older day is wanted.
    func eachDay(
        _ filter: LogFilter, notAfter newest: LogDay? = nil, isFresh: Bool = true,
        deadline: Deadline, onDamage: ((LogCatalog.File, StorageError) -> Void)? = nil,
        _ body: (Connection, LogDay) throws(SQLiteError) -> Bool
    ) throws(StorageError) {
        if isFresh { freshen(until: deadline) }
        for day in catalog.days {
            if let newest, day > newest { continue }
            if let to = filter.to, day.start >= to { continue }
            if let from = filter.from, day.end <= from { break }
            // It may have been dropped since.
            guard let lease = catalog.lease(day) else { continue }
            defer { withExtendedLifetime(lease) {} }
            do throws(SQLiteError) {
                let connection = try Connection(path: lease.path, role: .reader)
                connection.limit(until: deadline)
                defer { connection.clearLimit() }
                guard try body(connection, day) else { return }
            } catch {
                guard error.isCorrupt else { throw StorageError(error, lease.path) }
                // One bad day must not keep all others from being answered.
                let error = StorageError(error, lease.path)
                if let onDamage { onDamage(lease.file, error) } else { setAside(lease.file, error) }
            }
        }
    }
}
