import Primitives
import SQLite
import Storage

/// What an erasure did.
package struct LogErasure: Sendable {
    package let records: Int64
    /// Days whose files were written anew.
    package let days: Int
    /// Damaged files that were removed.
    package let setAside: Int
}

extension LogStore {
    /// Damaged files of the days that `filter` asks for, which an erasure removes.
    package func setAside(_ filter: LogFilter) -> Int {
        catalog.setAside { filter.touches($0) }.count
    }

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
    /// or write-ahead log holds their text. Nothing else is written meanwhile. What a damaged file
    /// holds nobody can tell, so those of the days that `filter` asks for are removed.
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
        let damaged = Locked([(file: LogCatalog.File, error: StorageError)]())
        try eachDay(
            filter, isFresh: false, deadline: .never,
            onDamage: { file, error in damaged.withLock { $0.append((file, error)) } }
        ) { (connection, day) throws(SQLiteError) in
            let query = LogRowQuery(filter, day: day)
            let statement = try connection.prepare("SELECT count(*) \(query.source)")
            statement.bind(query.values)
            if try statement.step(), statement.integer(0) > 0 {
                found.append((day, statement.integer(0)))
            }
            return true
        }
        for (file, error) in damaged.withLock({ $0 }) { try writer.setAside(file, error) }
        var (records, days): (Int64, Int) = (0, 0)
        for (day, count) in found {
            guard try writer.rewrite(day, without: filter) else { continue }
            records += count
            days += 1
        }
        let aside = catalog.setAside { filter.touches($0) }
        catalog.remove(aside)
        return LogErasure(records: records, days: days, setAside: aside.count)
    }
}

extension LogStoreWriter {
    /// Writes the day's file anew without the records that `filter` asks for.
    /// - Returns: false if it was damaged, and set aside.
    func rewrite(_ day: LogDay, without filter: LogFilter) throws(StorageError) -> Bool {
        guard let lease = catalog.lease(day) else { return false }
        let copy = LogDayCopy(
            from: lease.path, to: lease.path + LogCatalog.temporarySuffix, day,
            without: .matching(filter))
        copy.discard()
        do throws(StorageError) {
            try close(day)
            _ = try copy.run()
        } catch {
            copy.discard()
            guard error.code == .corrupt else { throw error }
            try setAside(lease.file, error)
            return false
        }
        try catalog.replace(lease, with: copy.new)
        return true
    }
}
