import Primitives
import SQLite
import Storage

/// The one connection that writes to a day's file. The store's thread alone uses it.
final class LogDayWriter {
    /// Frames of 8 KiB in the write-ahead log at which it is moved into the file: 8 MiB.
    private static let checkpointFrames = 1024

    let path: String
    private let connection: Connection
    private var ids: LogRowIDs
    private let insertRecord: Statement
    private let insertWords: Statement
    private let firstUsed: Statement
    private let lastUsed: Statement
    private var names: LogNames
    private var tally: [LogCount: Int64] = [:]
    private var words = ByteBuffer(capacity: 4096)
    private var trace = ByteBuffer(capacity: 32)
    /// When something was written last; the least used file is closed first.
    var lastUse: UInt64 = 0

    init(path: String) throws(StorageError) {
        self.path = path
        do throws(SQLiteError) {
            connection = try Connection(path: path, role: .writer, cacheKiB: 16 << 10)
        } catch {
            throw StorageError(error, path)
        }
        try LogSchema.prepare(connection, path: path)
        do throws(SQLiteError) {
            insertRecord = try connection.prepare(
                """
                INSERT INTO records VALUES (
                    ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)
                """)
            // One row a statement: a statement of several rows has a savepoint, at which FTS5
            // writes out what it has gathered, and that is three times slower.
            insertWords = try connection.prepare(
                "INSERT INTO words (rowid, text, trace) VALUES (?1, ?2, ?3)")
            firstUsed = try connection.prepare("SELECT min(id) FROM records WHERE id >= ?1")
            lastUsed = try connection.prepare("SELECT max(id) FROM records WHERE id < ?1")
            ids = LogRowIDs(highest: try connection.integer("SELECT max(id) FROM records") ?? -1)
            names = try LogNames(connection)
        } catch {
            throw StorageError(error, path)
        }
    }

    /// The highest arrival number that the file has seen.
    func lastArrival() throws(StorageError) -> Int64 {
        do throws(SQLiteError) {
            return try connection.integer("SELECT arrival FROM meta") ?? 0
        } catch { throw StorageError(error, path) }
    }

    /// Runs `body`, which appends rows, in one transaction with the counts that go with them.
    /// - Parameter arrival: the highest number of the rows.
    func write(arrival: Int64, _ body: () throws(StorageError) -> Void) throws(StorageError) {
        ids.rewind()
        tally.removeAll(keepingCapacity: true)
        let highest = ids
        do throws(StorageError) {
            try connection.transaction(
                { () throws(StorageError) in
                    try body()
                    do throws(SQLiteError) { try writeTally(arrival) } catch {
                        throw StorageError(error, path)
                    }
                }, mapping: { StorageError($0, path) })
        } catch {
            ids = highest
            names.forget()
            throw error
        }
    }

    /// Appends a record; records of one transaction come in the order of time.
    /// - Parameter millisecond: of the day.
    /// - Returns: its id.
    func append(
        _ record: LogRecord, millisecond: Int64, arrival: Int64
    ) throws(StorageError) -> Int64 {
        do throws(SQLiteError) {
            let id = try ids.id(
                millisecond,
                firstUsed: { (id) throws(SQLiteError) in try number(firstUsed, id) },
                lastUsed: { (id) throws(SQLiteError) in try number(lastUsed, id) })
            try insert(record, id: id, arrival: arrival)
            return id
        } catch {
            throw StorageError(error, path)
        }
    }

    /// Appends a record under an id that is given.
    func append(_ record: LogRecord, id: Int64, arrival: Int64) throws(StorageError) {
        do throws(SQLiteError) { try insert(record, id: id, arrival: arrival) } catch {
            throw StorageError(error, path)
        }
    }

    private func number(_ statement: Statement, _ id: Int64) throws(SQLiteError) -> Int64? {
        statement.bind(1, id)
        guard try statement.step() else { return nil }
        let number = statement.isNull(0) ? nil : statement.integer(0)
        statement.rewind()
        return number
    }

    private func insert(
        _ record: LogRecord, id: Int64, arrival: Int64
    ) throws(SQLiteError) {
        let service = try names.id(record.service, .service)
        let row = insertRecord
        row.bind(1, id)
        row.bind(2, record.time)
        row.bind(3, orNull: record.observed == record.time ? nil : record.observed)
        row.bind(4, arrival)
        row.bind(5, Int64(record.severity))
        row.bind(6, Int64(record.flags.rawValue))
        row.bind(7, orNull: try names.id(record.severityText, .level))
        row.bind(8, orNull: service)
        row.bind(9, orNull: try names.id(record.scopeName, .scope))
        row.bind(10, orNull: try names.id(record.scopeVersion, .version))
        row.bind(11, orNull: try names.id(record.resource, .resource))
        let hasTrace = record.flags.contains(.trace)
        if hasTrace { row.bind(12, record.traceID) } else { row.bindNull(12) }
        row.bind(
            13, orNull: record.flags.contains(.span) ? Int64(bitPattern: record.spanID) : nil)
        row.bind(14, orNull: record.traceFlags == 0 ? nil : Int64(record.traceFlags))
        row.bind(15, orNull: record.eventName)
        row.bind(16, borrowedText: record.body)
        row.bind(17, orNull: record.attributes)
        try row.run()
        words.removeAll()
        LogWords.append(record, to: &words)
        insertWords.bind(1, id)
        insertWords.bind(2, borrowedText: words.span)
        trace.removeAll()
        if hasTrace { trace.append(hex: record.traceID) }
        insertWords.bind(3, borrowedText: trace.span)
        try insertWords.run()
        words.shrink(above: 1 << 20)
        let count = LogCount(
            minute: record.time / 60_000_000_000, service: service ?? 0,
            severity: record.severity)
        tally[count, default: 0] += 1
    }

    private func writeTally(_ arrival: Int64) throws(SQLiteError) {
        let upsert = try connection.cached(
            """
            INSERT INTO counts VALUES (?1, ?2, ?3, ?4)
            ON CONFLICT DO UPDATE SET records = records + excluded.records
            """)
        for (count, records) in tally {
            upsert.bind(1, count.minute)
            upsert.bind(2, count.service)
            upsert.bind(3, Int64(count.severity))
            upsert.bind(4, records)
            try upsert.run()
        }
        try noteArrival(arrival)
    }

    private func noteArrival(_ arrival: Int64) throws(SQLiteError) {
        let meta = try connection.cached("UPDATE meta SET arrival = max(arrival, ?1)")
        meta.bind(1, arrival)
        try meta.run()
    }

    /// Notes the arrival number of a row that was copied.
    func note(arrival: Int64) throws(StorageError) {
        do throws(SQLiteError) { try noteArrival(arrival) } catch {
            throw StorageError(error, path)
        }
    }

    /// Moves the write-ahead log into the file if it has grown, as far as no reader is in the way.
    func checkpointIfDue() throws(StorageError) {
        guard connection.logFrames >= LogDayWriter.checkpointFrames else { return }
        do throws(SQLiteError) { _ = try connection.checkpoint(.passive) } catch {
            throw StorageError(error, path)
        }
    }

    /// Moves all of the write-ahead log into the file, before this is closed.
    func finish() throws(StorageError) {
        do throws(SQLiteError) {
            _ = try connection.checkpoint(.truncate, waitMilliseconds: 1000)
        } catch { throw StorageError(error, path) }
    }
}

/// What records are counted by.
struct LogCount: Hashable {
    /// Since 1970.
    var minute: Int64
    /// Of `names`; 0 for none.
    var service: Int64
    var severity: UInt8
}

extension Statement {
    fileprivate func bind(_ index: Int, orNull value: Int64?) {
        if let value { bind(index, value) } else { bindNull(index) }
    }

    /// Text that stays valid until the statement is rebound; empty is null.
    fileprivate func bind(_ index: Int, orNull text: UnsafeRawBufferPointer) {
        if text.isEmpty { bindNull(index) } else { bind(index, borrowedText: text) }
    }
}
