internal import Glibc
import Primitives
import SQLite
import Storage

/// What an erasure did.
package struct LogErasure: Sendable {
    package let records: Int64
    /// Days whose files were written anew.
    package let days: Int
}

extension LogStore {
    /// Counts the records that `filter` asks for. Blocks: for a worker.
    package func count(_ filter: LogFilter, deadline: Deadline) throws(StorageError) -> Int64 {
        var count: Int64 = 0
        try eachDay(filter, deadline: deadline) { (connection, day) throws(SQLiteError) in
            let query = LogRowQuery(filter, day: day)
            let statement = try connection.prepare("SELECT count(*) \(query.source)")
            statement.bind(query.values)
            if try statement.step() { count += statement.integer(0) }
            return true
        }
        return count
    }

    /// Erases the records that `filter` asks for, queued ones included, for good: each day's file
    /// that has some is written anew without them and the old one unlinked, so that no page, index
    /// or write-ahead log holds their text. Nothing else is written meanwhile.
    /// - Parameter done: is told on the store's thread what came of it.
    /// - Returns: false if the store has been stopped.
    package func erase(
        _ filter: LogFilter, done: @escaping @Sendable (Result<LogErasure, StorageError>) -> Void
    ) -> Bool {
        perform { [self] writer in
            do throws(StorageError) { done(.success(try erase(filter, writer))) } catch {
                done(.failure(error))
            }
        }
    }

    private func erase(
        _ filter: LogFilter, _ writer: LogStoreWriter
    ) throws(StorageError) -> LogErasure {
        var found: [(day: LogDay, count: Int64)] = []
        try eachDay(filter, isFresh: false, deadline: .never) {
            (connection, day) throws(SQLiteError) in
            let query = LogRowQuery(filter, day: day)
            let statement = try connection.prepare("SELECT count(*) \(query.source)")
            statement.bind(query.values)
            if try statement.step(), statement.integer(0) > 0 {
                found.append((day, statement.integer(0)))
            }
            return true
        }
        for (day, _) in found { try writer.rewrite(day, without: filter) }
        return LogErasure(records: found.reduce(0) { $0 + $1.count }, days: found.count)
    }
}

extension LogStoreWriter {
    /// Rows in one transaction of a file that is written anew.
    private static let rowsAtOnce = 20_000

    /// Writes the day's file anew without the records that `filter` asks for.
    func rewrite(_ day: LogDay, without filter: LogFilter) throws(StorageError) {
        try close(day)
        guard let lease = catalog.lease(day) else { return }
        let temporary = lease.path + LogCatalog.temporarySuffix
        for suffix in LogCatalog.suffixes { unlink(temporary + suffix) }
        do throws(StorageError) {
            try LogStoreWriter.copy(from: lease.path, to: temporary, day, without: filter)
        } catch {
            for suffix in LogCatalog.suffixes { unlink(temporary + suffix) }
            throw error
        }
        try catalog.replace(lease, with: temporary)
    }

    private static func copy(
        from old: String, to new: String, _ day: LogDay, without filter: LogFilter
    ) throws(StorageError) {
        let source: Connection
        let rows: Statement
        var erased: Set<Int64> = []
        do throws(SQLiteError) {
            source = try Connection(path: old, role: .reader)
            try source.execute("BEGIN")
            let query = LogRowQuery(filter, day: day)
            let unwanted = try source.prepare("SELECT \(query.idColumn) \(query.source)")
            unwanted.bind(query.values)
            while try unwanted.step() { erased.insert(unwanted.integer(0)) }
            rows = try source.prepare("SELECT \(LogRowQuery.columns) FROM records AS r ORDER BY id")
        } catch { throw StorageError(error, old) }
        let target = try LogDayWriter(path: new)
        var hasMore = true
        while hasMore {
            var highest: Int64 = 0
            var copied = 0
            try target.write(arrival: 0) { () throws(StorageError) in
                while copied < rowsAtOnce {
                    do throws(SQLiteError) { hasMore = try rows.step() } catch {
                        throw StorageError(error, old)
                    }
                    guard hasMore else { return }
                    let id = rows.integer(0)
                    guard !erased.contains(id) else { continue }
                    let arrival = rows.integer(3)
                    highest = max(highest, arrival)
                    try target.append(LogRowQuery.record(rows), id: id, arrival: arrival)
                    copied += 1
                }
            }
            try target.note(arrival: highest)
            try target.checkpointIfDue()
        }
        try target.finish()
    }
}
