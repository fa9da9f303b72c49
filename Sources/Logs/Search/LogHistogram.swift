import Primitives
import SQLite
import Storage

/// Counts of records over time.
package struct LogHistogram: Sendable {
    /// Records of a stretch of time, by the ranges of `LogSeverity.bands`.
    package struct Bucket: Sendable {
        /// Milliseconds since 1970.
        package let time: Int64
        package let counts: [Int64]
    }

    /// Those that hold something, in the order of time.
    package let buckets: [Bucket]
}

extension LogStore {
    /// In one answer.
    package static let bucketLimit = 10_000

    /// Counts the records that `filter` asks for. Without words and a trace id, and with a range in
    /// whole minutes, no row is read. Blocks: for a worker.
    /// - Parameter minutes: of a bucket.
    /// - Throws: `deadline` if that is not enough time.
    package func histogram(
        _ filter: LogFilter, minutes: Int64, deadline: Deadline
    ) throws(StorageError) -> LogHistogram {
        var buckets: [Int64: [Int64]] = [:]
        try eachDay(filter, deadline: deadline) { (connection, day) throws(SQLiteError) in
            let statement = try LogStore.counting(
                filter, day, connection, rows: "r.time / \(minutes * 60_000_000_000), r.severity",
                counts: "minute / \(minutes), severity")
            while try statement.step() {
                let time = statement.integer(0) * minutes * 60_000
                let band = LogSeverity.band(UInt8(truncatingIfNeeded: statement.integer(1)))
                buckets[time, default: LogSeverity.bands.map { _ in 0 }][band] +=
                    statement.integer(2)
            }
            return buckets.count <= LogStore.bucketLimit
        }
        let newest = buckets.keys.sorted().suffix(LogStore.bucketLimit)
        return LogHistogram(
            buckets: newest.map { LogHistogram.Bucket(time: $0, counts: buckets[$0] ?? []) })
    }

    /// A statement that counts: groups, and the number of records in each.
    /// - Parameters:
    ///   - rows: what records are grouped by, in `records`.
    ///   - counts: the same in `counts`.
    static func counting(
        _ filter: LogFilter, _ day: LogDay, _ connection: Connection, rows: String, counts: String
    ) throws(SQLiteError) -> Statement {
        guard filter.isCountable else {
            let query = LogRowQuery(filter, day: day)
            let groups = rows.split(separator: ",").indices.map { "\($0 + 1)" }
            let statement = try connection.prepare(
                "SELECT \(rows), count(*) \(query.source) GROUP BY "
                    + groups.joined(separator: ", "))
            statement.bind(query.values)
            return statement
        }
        var conditions = ["severity >= \(filter.severity)"]
        if let from = filter.from { conditions.append("minute >= \(from / 60_000)") }
        if let to = filter.to { conditions.append("minute < \(to / 60_000)") }
        if !filter.services.isEmpty {
            let marks = filter.services.map { _ in "?" }.joined(separator: ", ")
            conditions.append("service IN (SELECT id FROM names WHERE text IN (\(marks)))")
        }
        let groups = counts.split(separator: ",").indices.map { "\($0 + 1)" }
        let statement = try connection.prepare(
            "SELECT \(counts), sum(records) FROM counts WHERE "
                + conditions.joined(separator: " AND ") + " GROUP BY "
                + groups.joined(separator: ", "))
        statement.bind(filter.services.map { .text($0) })
        return statement
    }
}
