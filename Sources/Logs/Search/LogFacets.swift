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

    /// SQL for the value in a row of `records AS r`, and the two paths that it binds.
    fileprivate var expression: (sql: String, values: [SQLValue]) {
        switch self {
        case .level: ("r.severity", [])
        case .service: ("(SELECT text FROM names WHERE id = r.service)", [])
        case .eventName: ("r.event", [])
        case .scope: ("(SELECT text FROM names WHERE id = r.scope)", [])
        case .attribute(let path): LogField.extract("r.attributes", path)
        case .resource(let path):
            LogField.extract("(SELECT text FROM names WHERE id = r.resource)", path)
        }
    }

    /// `http.method` is a name in OpenTelemetry and a path elsewhere: the name goes first.
    private static func extract(_ json: String, _ path: String) -> (String, [SQLValue]) {
        let quoted = path.split(separator: ".", omittingEmptySubsequences: false).map {
            "\"\($0)\""
        }
        let whole = "$.\"\(path)\""
        return (
            "coalesce(json_extract(\(json), ?), json_extract(\(json), ?))",
            [.text(whole), .text("$." + quoted.joined(separator: "."))]
        )
    }
}

/// Counts of records by the values of a field.
package struct LogFacets: Sendable {
    /// Most frequent first. Levels are by name.
    package let values: [(value: SQLValue, count: Int64)]
    /// Records that have the field.
    package let total: Int64
}

extension LogStore {
    /// Values that are counted in one file; rarer ones are left out.
    private static let facetValueLimit = 10_000

    /// Counts the records that `filter` asks for by the values of `field`. Blocks: for a worker.
    /// - Throws: `deadline` if that is not enough time.
    package func facets(
        _ field: LogField, _ filter: LogFilter, limit: Int, deadline: Deadline
    ) throws(StorageError) -> LogFacets {
        var counts: [SQLValue: Int64] = [:]
        try eachDay(filter, deadline: deadline) { (connection, day) throws(SQLiteError) in
            let statement = try LogStore.counting(field, filter, day, connection)
            while try statement.step() {
                var value = statement.value(0)
                if field == .level {
                    let name = LogSeverity.name(UInt8(truncatingIfNeeded: statement.integer(0)))
                    value = .text("\(name)")
                }
                if value != .null { counts[value, default: 0] += statement.integer(1) }
            }
            return true
        }
        let sorted = counts.sorted {
            $0.value != $1.value ? $0.value > $1.value : "\($0.key)" < "\($1.key)"
        }
        return LogFacets(
            values: sorted.prefix(limit).map { ($0.key, $0.value) },
            total: counts.values.reduce(0, +))
    }

    private static func counting(
        _ field: LogField, _ filter: LogFilter, _ day: LogDay, _ connection: Connection
    ) throws(SQLiteError) -> Statement {
        if filter.isCountable, field == .level || field == .service {
            return try counting(
                filter, day, connection, rows: "r.severity",
                counts: field == .level
                    ? "severity" : "(SELECT text FROM names WHERE id = service)")
        }
        let (sql, values) = field.expression
        let query = LogRowQuery(filter, day: day)
        let statement = try connection.prepare(
            "SELECT \(sql) AS value, count(*) AS records \(query.source) GROUP BY 1 "
                + "ORDER BY records DESC LIMIT \(facetValueLimit)")
        statement.bind(values + query.values)
        return statement
    }
}
