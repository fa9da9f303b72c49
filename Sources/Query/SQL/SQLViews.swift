import Primitives
import SQLite

/// The tables that SQL sees: views of this program's own, so that the files of named queries
/// outlive changes of the schema.
///
/// The views are temporary: each connection makes its own. Between the view that clients name and
/// the tables lies a second one with a random name, because `AccessRules` goes by names.
struct SQLViews {
    /// A view's columns and the SQL that gives them.
    private struct View {
        let name: String
        let columns: String
        let select: String
        /// What `select` reads.
        let tables: Set<String>
    }

    private static let views = [
        View(
            name: "events", columns: "id, source, type, subject, time, data, extensions",
            // With LEFT JOIN SQLite leaves a dictionary out where its name is not asked for.
            select: """
                SELECT coalesce(r.id, lower(
                        substr(hex(r.key), 1, 8) || '-' || substr(hex(r.key), 9, 4) || '-' ||
                        substr(hex(r.key), 13, 4) || '-' || substr(hex(r.key), 17, 4) || '-' ||
                        substr(hex(r.key), 21, 12))),
                    s.name, t.name, r.subject, r.time, r.data, r.extensions
                FROM main.event_rows r
                    LEFT JOIN main.event_types t ON t.id = r.type_id
                    LEFT JOIN main.event_sources s ON s.id = r.source_id
                """,
            tables: ["event_rows", "event_types", "event_sources"])
    ]

    private static let hiddenPrefix = "view_"

    /// Makes the views and says what statements may touch then.
    static func make(on connection: Connection) throws(SQLiteError) -> AccessRules {
        var rules = AccessRules(
            functions: SQLFunctions.permitted, readable: ["json_each", "json_tree"],
            viewReads: [:])
        for view in views {
            let hidden = hiddenPrefix + String(UInt64.random(in: .min ... .max), radix: 16)
            try connection.execute(
                """
                CREATE TEMP VIEW \(hidden)(\(view.columns)) AS \(view.select);
                CREATE TEMP VIEW \(view.name)(\(view.columns)) AS
                    SELECT \(view.columns) FROM temp.\(hidden);
                """)
            rules.readable.insert(view.name)
            rules.viewReads[view.name] = [hidden]
            rules.viewReads[hidden] = view.tables
        }
        return rules
    }

    /// Names of which a statement may not even count the rows.
    static func schemaNames(_ connection: Connection) throws(SQLiteError) -> Set<String> {
        var names: Set<String> = [
            "sqlite_schema", "sqlite_master", "sqlite_temp_schema", "sqlite_temp_master",
        ]
        for schema in ["main.sqlite_schema", "temp.sqlite_temp_schema"] {
            let all = try connection.prepare("SELECT lower(name) FROM \(schema)")
            while try all.step() { names.insert(all.text(0)) }
        }
        // Where a view does not need a table's columns, SQLite asks for the table and does not say
        // that the view names it. So their rows may be counted: they are those of the views.
        return names.subtracting(views.flatMap(\.tables)).filter { !$0.hasPrefix(hiddenPrefix) }
    }
}
