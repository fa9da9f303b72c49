import Primitives
import SQLite
import Storage

/// Logs as a table of SQL.
///
/// DESIGN. A reading opens the file of one day after the other, the newest first, so it costs one
/// connection however many days there are. Conditions on `time`, `severity`, `service` and
/// `trace_id` are those of `LogRowQuery`, which knows the indexes: days and rows outside of a range
/// of time are not read. Each day is a snapshot of its own.
extension LogStore {
    /// `time` is in milliseconds since 1970, as that of events.
    package var table: VirtualTable {
        VirtualTable(name: "logs", columns: LogTable.columns.map(\.column)) {
            [self] (connection, request) throws(SQLiteError) in
            LogRows(self, request, for: connection)
        }
    }
}

enum LogTable {
    struct Column {
        let column: VirtualTable.Column
        /// What gives it in a row of `records AS r`.
        let sql: String
    }

    static let columns: [Column] = [
        Column(column: .init("id"), sql: "r.id"),
        Column(column: .init("time", "INTEGER", isSearchable: true), sql: "r.time / 1000000"),
        Column(column: .init("level"), sql: "r.severity"),
        Column(
            column: .init("severity", "INTEGER", isSearchable: true), sql: "nullif(r.severity, 0)"),
        Column(column: .init("severity_text"), sql: name("level")),
        Column(column: .init("service", isSearchable: true), sql: name("service")),
        Column(column: .init("message"), sql: "coalesce(r.body, '')"),
        Column(
            column: .init("trace_id", isSearchable: true),
            sql:
                "CASE WHEN r.flags & \(LogRecord.Flags.trace.rawValue) THEN lower(hex(r.trace)) END"
        ),
        Column(
            column: .init("span_id"),
            sql: "CASE WHEN r.flags & \(LogRecord.Flags.span.rawValue) "
                + "THEN printf('%016x', r.span) END"),
        Column(column: .init("event_name"), sql: "nullif(r.event, '')"),
        Column(column: .init("attributes"), sql: "nullif(r.attributes, '')"),
        Column(column: .init("resource"), sql: name("resource")),
        Column(column: .init("scope"), sql: name("scope")),
    ]

    static let id = 0
    static let time = 1
    static let level = 2
    static let severity = 3
    static let service = 5
    static let traceID = 7

    /// From the dictionary of the day's file.
    private static func name(_ column: String) -> String {
        "nullif((SELECT text FROM names WHERE id = r.\(column)), '')"
    }

    /// What of a request `LogRowQuery` can tell; records outside of it are not asked for.
    static func filter(_ request: VirtualRequest) -> LogFilter {
        var filter = LogFilter()
        let time = request.range(of: LogTable.time)
        filter.from = time.from
        filter.to = time.to.map { $0 == .max ? .max : $0 + 1 }
        let severity = request.range(of: LogTable.severity)
        filter.severity = UInt8(clamping: severity.from ?? 0)
        if let service = request.text(of: LogTable.service) { filter.services = [service] }
        if var text = request.text(of: LogTable.traceID) {
            filter.traceID = text.withUTF8 { HexID.trace(UnsafeRawBufferPointer($0)) }
        }
        return filter
    }
}

/// One reading of the table. Belongs to the thread of the statement that reads.
final class LogRows: VirtualRows {
    private let store: LogStore
    private let filter: LogFilter
    /// Whose deadline counts.
    private unowned let reader: Connection
    /// The column of the statement that gives each column of the table; -1 for one that is not used.
    private let places: [Int]
    private let sql: String
    /// Days that have not been read, the next one last.
    private var days: [LogDay]
    private var current: Reading?

    private struct Reading {
        let day: LogDay
        let lease: LogCatalog.Lease
        let connection: Connection
        let statement: Statement
    }

    init(_ store: LogStore, _ request: VirtualRequest, for reader: Connection) {
        self.store = store
        self.reader = reader
        filter = LogTable.filter(request)
        var (places, selected) = ([Int](), [String]())
        for (index, column) in LogTable.columns.enumerated() {
            places.append(request.uses(index) ? selected.count : -1)
            if request.uses(index) { selected.append(column.sql) }
        }
        self.places = places
        sql = selected.isEmpty ? "1" : selected.joined(separator: ", ")
        store.freshen(until: reader.deadline)
        days = store.catalog.days.filter { [filter] in filter.touches($0) }.reversed()
    }

    func next() throws(SQLiteError) -> Bool {
        while true {
            if current == nil, try !begin() { return false }
            guard let reading = current else { continue }
            do throws(SQLiteError) {
                if try reading.statement.step() { return true }
                current = nil
            } catch {
                try end(reading.lease, error)
            }
        }
    }

    /// Opens the next day. A damaged one is set aside, so that it does not keep the others from being
    /// read.
    /// - Returns: false if there is none.
    private func begin() throws(SQLiteError) -> Bool {
        guard let day = days.popLast() else { return false }
        // It may have been dropped since.
        guard let lease = store.catalog.lease(day) else { return true }
        do throws(SQLiteError) {
            let connection = try Connection(path: lease.path, role: .reader)
            reader.shareLimit(with: connection)
            let query = LogRowQuery(filter, day: day)
            let statement = try connection.prepare(
                "SELECT \(sql) \(query.source) ORDER BY \(query.idColumn) DESC")
            statement.bind(query.values)
            current = Reading(
                day: day, lease: lease, connection: connection, statement: statement)
        } catch {
            try end(lease, error)
        }
        return true
    }

    private func end(_ lease: LogCatalog.Lease, _ error: SQLiteError) throws(SQLiteError) {
        current = nil
        guard error.isCorrupt else { throw error }
        store.setAside(lease.file, StorageError(error, lease.path))
    }

    func give(_ column: Int, to result: VirtualResult) {
        guard let current, places[column] >= 0 else { return }
        let place = places[column]
        switch column {
        case LogTable.id:
            result.set(LogCursor(day: current.day, id: current.statement.integer(place)).text)
        case LogTable.level:
            let severity = UInt8(truncatingIfNeeded: current.statement.integer(place))
            result.set("\(LogSeverity.name(severity))")
        default: result.set(current.statement, place)
        }
    }
}
