import Primitives
import SQLite

/// The SQL that finds the rows of one day's file that a filter asks for, and the values it binds.
struct LogRowQuery {
    /// What a row is read from: see `record`.
    static let columns = """
        r.id, r.time, r.observed, r.arrival, r.severity, r.flags,
        (SELECT text FROM names WHERE id = r.level), (SELECT text FROM names WHERE id = r.service),
        (SELECT text FROM names WHERE id = r.scope),
        (SELECT text FROM names WHERE id = r.scope_version),
        (SELECT text FROM names WHERE id = r.resource),
        r.trace, r.span, r.trace_flags, r.event, r.body, r.attributes
        """

    /// `FROM … WHERE …`.
    private(set) var source: String
    private(set) var values: [SQLValue] = []
    /// The column that holds the id in `source`, by which rows are ordered.
    let idColumn: String
    private var conditions: [String] = []

    /// FTS5 goes first, row by row from the newest; then the rest is looked at. Left to itself the
    /// planner sometimes reads all rows and asks FTS5 about each.
    /// - Parameters:
    ///   - below: ids from this on are left out.
    ///   - arrivals: the numbers of the records that are wanted.
    init(
        _ filter: LogFilter, day: LogDay, below: Int64? = nil, arrivals: Range<Int64>? = nil
    ) {
        if let match = filter.match {
            idColumn = "w.rowid"
            source = "FROM words AS w CROSS JOIN records AS r ON r.id = w.rowid"
            add("words MATCH ?", .text(match))
        } else {
            idColumn = "r.id"
            source = "FROM records AS r" + LogRowQuery.index(filter)
        }
        if let below { add("\(idColumn) < ?", .integer(below)) }
        if let arrivals {
            add("r.arrival >= ?", .integer(arrivals.lowerBound))
            add("r.arrival < ?", .integer(arrivals.upperBound))
        }
        addTime(filter, day)
        if source.contains("records_warn") {
            // SQLite takes a partial index for the very words of its condition alone.
            conditions.append("r.severity >= \(LogSchema.warning)")
        }
        if filter.severity > 0 { add("r.severity >= ?", .integer(Int64(filter.severity))) }
        if filter.services.count == 1, let service = filter.services.first {
            add("r.service = (SELECT id FROM names WHERE text = ?)", .text(service))
        } else if !filter.services.isEmpty {
            let marks = filter.services.map { _ in "?" }.joined(separator: ", ")
            // The plus keeps SQLite from reading all rows of these services and sorting them.
            conditions.append("+r.service IN (SELECT id FROM names WHERE text IN (\(marks)))")
            values += filter.services.map { .text($0) }
        }
        for literal in filter.terms?.literals ?? [] {
            let pattern = LogRowQuery.pattern(literal)
            add("r.body LIKE ? ESCAPE '\\'", .text(pattern))
            // What JSON itself is written with is in all attributes.
            if literal.allSatisfy({ "{}[]\":,.+-\\".contains($0) }) { continue }
            conditions[conditions.count - 1] =
                "(r.body LIKE ? ESCAPE '\\' OR r.attributes LIKE ? ESCAPE '\\')"
            values.append(.text(pattern))
        }
        if !conditions.isEmpty { source += " WHERE " + conditions.joined(separator: " AND ") }
    }

    private mutating func add(_ condition: String, _ value: SQLValue) {
        conditions.append(condition)
        values.append(value)
    }

    /// By id, which narrows the rows that are read, and by time, which decides.
    private mutating func addTime(_ filter: LogFilter, _ day: LogDay) {
        if let from = filter.from, from > day.start {
            add("\(idColumn) >= ?", .integer(LogRowID.first(from - day.start)))
            add("r.time >= ?", .integer(from * 1_000_000))
        }
        if let to = filter.to, to < day.end {
            let last = to - day.start + LogRowID.slackMilliseconds
            add("\(idColumn) < ?", .integer(LogRowID.first(last)))
            add("r.time < ?", .integer(to * 1_000_000))
        }
    }

    /// One service, or the rare levels, have an index in the order of ids.
    private static func index(_ filter: LogFilter) -> String {
        if filter.services.count == 1 { return " INDEXED BY records_service" }
        return filter.severity >= LogSchema.warning ? " INDEXED BY records_warn" : ""
    }

    private static func pattern(_ text: String) -> String {
        var pattern = "%"
        for character in text {
            if character == "%" || character == "_" || character == "\\" { pattern += "\\" }
            pattern.append(character)
        }
        return pattern + "%"
    }

    /// The record in the row at hand, whose columns are `columns`; borrowed from the statement.
    static func record(_ row: Statement) -> LogRecord {
        let time = row.integer(1)
        var record = LogRecord(time: time, observed: row.isNull(2) ? time : row.integer(2))
        record.severity = UInt8(truncatingIfNeeded: row.integer(4))
        record.flags = LogRecord.Flags(rawValue: UInt8(truncatingIfNeeded: row.integer(5)))
        record.severityText = row.bytes(6)
        record.service = row.bytes(7)
        record.scopeName = row.bytes(8)
        record.scopeVersion = row.bytes(9)
        record.resource = row.bytes(10)
        if let trace = row.key(11) { record.traceID = trace }
        record.spanID = UInt64(bitPattern: row.integer(12))
        record.traceFlags = UInt32(truncatingIfNeeded: row.integer(13))
        record.eventName = row.bytes(14)
        record.body = row.bytes(15)
        record.attributes = row.bytes(16)
        return record
    }
}
