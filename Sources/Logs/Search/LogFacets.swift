import Primitives
import SQLite
import Storage

/// What a facet counts values of.
package enum LogField: Hashable, Sendable {
    case level, service, eventName, scope
    /// A path into the attributes, or a name with dots in it.
    case attribute(String)
    case resource(String)

    /// Reads `service`, `level`, `event_name`, `scope`, `attributes.NAME` or `resource.NAME`; nil
    /// for anything else. SQLite's paths have no way to say a quote in a name.
    package init?(_ text: String) {
        switch text {
        case "level": self = .level
        case "service": self = .service
        case "event_name": self = .eventName
        case "scope": self = .scope
        default:
            let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, (1...1020).contains(parts[1].utf8.count),
                !parts[1].contains(where: { $0 == "\0" || $0 == "\"" })
            else { return nil }
            switch parts[0] {
            case "attributes": self = .attribute(String(parts[1]))
            case "resource": self = .resource(String(parts[1]))
            default: return nil
            }
        }
    }

    /// SQL for the value in a row of `records AS r`, and for whether it is a boolean, which SQLite
    /// reads as a number; and what `?1` and `?2` in them are.
    fileprivate var expression: (value: String, isBoolean: String, parameters: [SQLValue]) {
        switch self {
        case .level: ("r.severity", "0", [])
        case .service: ("(SELECT text FROM names WHERE id = r.service)", "0", [])
        case .eventName: ("r.event", "0", [])
        case .scope: ("(SELECT text FROM names WHERE id = r.scope)", "0", [])
        case .attribute(let path): LogField.extract("r.attributes", path)
        case .resource(let path):
            LogField.extract("(SELECT text FROM names WHERE id = r.resource)", path)
        }
    }

    /// `http.method` is a name in OpenTelemetry and a path elsewhere: the name goes first.
    private static func extract(
        _ json: String, _ path: String
    ) -> (value: String, isBoolean: String, parameters: [SQLValue]) {
        let quoted = path.split(separator: ".", omittingEmptySubsequences: false).map {
            "\"\($0)\""
        }
        let type = """
            CASE WHEN json_extract(\(json), ?1) IS NULL THEN json_type(\(json), ?2)
            ELSE json_type(\(json), ?1) END
            """
        return (
            "coalesce(json_extract(\(json), ?1), json_extract(\(json), ?2))",
            "coalesce((\(type)) IN ('true', 'false'), 0)",
            [.text("$.\"\(path)\""), .text("$." + quoted.joined(separator: "."))]
        )
    }
}

/// A value of a field. Arrays and objects are their JSON.
package enum LogFacetValue: Hashable, Sendable {
    case boolean(Bool)
    case integer(Int64)
    case real(Double)
    case text(String)

    /// Nil for no value.
    fileprivate init?(_ value: SQLValue, isBoolean: Bool) {
        switch value {
        case .integer(let number): self = isBoolean ? .boolean(number != 0) : .integer(number)
        case .real(let number): self = .real(number)
        case .text(let text): self = .text(text)
        case .null, .blob: return nil
        }
    }
}

/// Counts of records by the values of a field.
package struct LogFacets: Sendable {
    /// Most frequent first. Levels are by name.
    package let values: [(value: LogFacetValue, count: Int64)]
    /// Records that have the field.
    package let total: Int64
    /// A day has more values than are counted by themselves: of those that are rare there, some are
    /// missing and some counts are too low.
    package let isTruncated: Bool
}

/// Counts of several days.
private struct FacetTally {
    /// Values that are counted in one file by themselves; the rarer ones are in the total alone.
    static let valueLimit = 10_000
    /// Values of all days that are kept at a time: some 20 MB.
    private static let mergeLimit = 200_000

    var counts: [LogFacetValue: Int64] = [:]
    var total: Int64 = 0
    var isTruncated = false

    mutating func add(_ value: LogFacetValue, _ records: Int64) {
        counts[value, default: 0] += records
    }

    /// Leaves the rarer half out if there are very many.
    mutating func shrink() {
        guard counts.count > FacetTally.mergeLimit else { return }
        isTruncated = true
        let kept = sorted.prefix(FacetTally.mergeLimit / 2)
        counts = Dictionary(uniqueKeysWithValues: kept.map { ($0.key, $0.value) })
    }

    var sorted: [(key: LogFacetValue, value: Int64)] {
        counts.sorted {
            $0.value != $1.value ? $0.value > $1.value : "\($0.key)" < "\($1.key)"
        }
    }
}

extension LogStore {
    /// Counts the records that `filter` asks for by the values of `field`. Blocks: for a worker.
    /// - Throws: `deadline` if that is not enough time.
    package func facets(
        _ field: LogField, _ filter: LogFilter, limit: Int, deadline: Deadline
    ) throws(StorageError) -> LogFacets {
        var tally = FacetTally()
        let isCounted = filter.isCountable && (field == .level || field == .service)
        try eachDay(filter, deadline: deadline) { (connection, day) throws(SQLiteError) in
            if isCounted {
                try LogStore.addCounts(field, filter, day, connection, to: &tally)
            } else {
                try LogStore.addRows(field, filter, day, connection, to: &tally)
            }
            tally.shrink()
            return true
        }
        return LogFacets(
            values: tally.sorted.prefix(limit).map { ($0.key, $0.value) }, total: tally.total,
            isTruncated: tally.isTruncated)
    }

    /// From the counts that are kept ready.
    private static func addCounts(
        _ field: LogField, _ filter: LogFilter, _ day: LogDay, _ connection: Connection,
        to tally: inout FacetTally
    ) throws(SQLiteError) {
        let statement = try counting(
            filter, day, connection, rows: "r.severity",
            counts: field == .level ? "severity" : "(SELECT text FROM names WHERE id = service)")
        while try statement.step() {
            guard let value = value(statement, field, isBoolean: false) else { continue }
            tally.add(value, statement.integer(1))
            tally.total += statement.integer(1)
        }
    }

    /// From the records.
    private static func addRows(
        _ field: LogField, _ filter: LogFilter, _ day: LogDay, _ connection: Connection,
        to tally: inout FacetTally
    ) throws(SQLiteError) {
        let (value, isBoolean, parameters) = field.expression
        let query = LogRowQuery(filter, day: day)
        // What a window counts is counted before the limit.
        let statement = try connection.prepare(
            """
            SELECT value, is_boolean, records, sum(records) OVER (), count(*) OVER ()
            FROM (SELECT \(value) AS value, \(isBoolean) AS is_boolean, count(*) AS records
                  \(query.source) GROUP BY 1, 2)
            WHERE value IS NOT NULL ORDER BY records DESC LIMIT \(FacetTally.valueLimit)
            """)
        statement.bind(parameters + query.values)
        var isFirst = true
        while try statement.step() {
            if isFirst {
                isFirst = false
                tally.total += statement.integer(3)
                if statement.integer(4) > FacetTally.valueLimit { tally.isTruncated = true }
            }
            let isBoolean = statement.integer(1) != 0
            guard let value = self.value(statement, field, isBoolean: isBoolean) else { continue }
            tally.add(value, statement.integer(2))
        }
    }

    private static func value(
        _ statement: Statement, _ field: LogField, isBoolean: Bool
    ) -> LogFacetValue? {
        guard field == .level else {
            return LogFacetValue(statement.value(0), isBoolean: isBoolean)
        }
        return .text("\(LogSeverity.name(UInt8(truncatingIfNeeded: statement.integer(0))))")
    }
}
