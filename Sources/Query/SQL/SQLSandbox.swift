import Primitives
import SQLite
import Storage

/// What SQL reads beside the events.
package struct SQLTables: Sendable {
    static let logs = "logs"
    /// What SQLite says where logs cannot be searched.
    static let absence = "no such table: logs"

    /// Those that the store keeps, as they are declared.
    let rollups: [Rollup]
    /// Called `logs`; nil where logs cannot be searched.
    let logs: VirtualTable?

    package init(rollups: [Rollup] = [], logs: VirtualTable? = nil) {
        self.rollups = rollups
        self.logs = logs
    }
}

/// A connection on which SQL that others wrote may run: it reads the views of `SQLViews` and the
/// tables of `SQLTables`, calls the functions of `SQLFunctions`, and nothing else.
///
///     let sandbox = try SQLSandbox(path: path)
///     let statement = try sandbox.prepare("SELECT count(*) FROM events")
///
/// What keeps it in: the connection is read-only, `query_only`, defensive, and trusts no schema; an
/// authorizer knows what statements may touch; lengths, columns and depths are limited, and so is
/// the depth of `WITH`; and `SandboxPool`, which lends it, keeps each statement within `budget`. Used
/// by one thread at a time.
final class SQLSandbox {
    let connection: Connection
    private(set) var budget = StatementBudget()
    private var rules: AccessRules

    /// What an event's row needs beside its data.
    static let rowBytes: Int32 = 64 << 10
    /// So many of the largest values have room, however large they are.
    private static let largeValues = 8

    /// - Parameters:
    ///   - path: of the store.
    ///   - eventBytes: of the largest event.
    init(path: String, eventBytes: Int, tables: SQLTables) throws(SQLiteError) {
        connection = try Connection(path: path, role: .reader)
        try connection.execute("PRAGMA query_only = 0")
        rules = try SQLViews.make(on: connection)
        try add(tables)
        try close(eventBytes: eventBytes)
    }

    /// With an empty store in memory: to try statements on.
    init() throws(SQLiteError) {
        connection = try Connection(path: ":memory:", role: .writer)
        for step in Schema.current.steps { try connection.execute(step) }
        rules = try SQLViews.make(on: connection)
        try add(SQLTables())
        try close(eventBytes: 256 << 10)
    }

    private func add(_ tables: SQLTables) throws(SQLiteError) {
        try connection.add(RollupRowTable.table(tables.rollups))
        rules.readable.insert(RollupRowTable.name)
        if let logs = tables.logs { try connection.add(logs) }
    }

    private func close(eventBytes: Int) throws(SQLiteError) {
        try connection.boundFunctions()
        // Made when they are first named, by a CREATE TABLE that the rules would refuse.
        _ = try connection.prepare("SELECT 1 FROM json_each('[]'), json_tree('[]')")
        try connection.execute("PRAGMA query_only = 1")
        var limits = StatementLimits()
        limits.lengthBytes = Int32(clamping: eventBytes) + SQLSandbox.rowBytes
        budget.runBytes += SQLSandbox.largeValues * Int(limits.lengthBytes)
        connection.limit(to: limits)
    }

    /// Compiles the one statement in `sql`, within the budget for that; from then on there is that for
    /// running.
    /// - Throws: `invalid_sql`, `sql_not_allowed`, `sql_too_complex`, `insufficient_scope`, and what keeps
    ///   the store from being read.
    func prepare(
        _ sql: String, logs: SQLQuestion.LogAccess = .notOffered
    ) throws(QueryError) -> Statement {
        if let excess = SQLComplexity.excess(of: sql) {
            throw .sql(excess, code: "sql_too_complex")
        }
        let statement: Statement
        do throws(SQLiteError) {
            connection.restrict(to: nil)
            var rules = rules
            rules.schemaNames = try SQLViews.schemaNames(connection)
            if logs == .granted {
                rules.readable.insert(SQLTables.logs)
            } else {
                rules.schemaNames.insert(SQLTables.logs)
            }
            connection.restrict(to: rules)
            statement = try connection.prepare(sql)
        } catch {
            let isRefused = error.isUnauthorized && connection.refusedName == SQLTables.logs
            // Where files are tried there is no such table.
            let isAbsent = logs == .notOffered && error.message == SQLTables.absence
            if isRefused || isAbsent, let refusal = QueryError.logs(logs) { throw refusal }
            let refused = error.isUnauthorized ? place(of: connection.refusedName, in: sql) : nil
            throw .compiling(error, offset: error.offset ?? refused)
        }
        guard !statement.isExplain else {
            throw .sql(
                "EXPLAIN is not offered", code: "sql_not_allowed", offset: place(of: nil, in: sql))
        }
        guard statement.isReadOnly, statement.columnCount > 0 else {
            throw .sql(
                "only a SELECT is offered", code: "sql_not_allowed", offset: place(of: nil, in: sql)
            )
        }
        connection.allow(bytes: budget.runBytes)
        return statement
    }

    /// The byte where a refused name stands first, which SQLite does not say; that of the statement
    /// itself where it does not name it.
    private func place(of name: String?, in sql: String) -> Int? {
        var tokens = SQLTokens(sql)
        var first: Int?
        while let token = tokens.next() {
            first = first ?? tokens.start
            if let name, token == .name(name) { return tokens.start }
            if name == nil { break }
        }
        return first
    }
}
