import Primitives
import SQLite
import Storage

/// A connection on which SQL that others wrote may run: it reads the views of `SQLViews`, calls the
/// functions of `SQLFunctions`, and nothing else.
///
///     let sandbox = try SQLSandbox(path: path)
///     let statement = try sandbox.prepare("SELECT count(*) FROM events")
///
/// What keeps it in: the connection is read-only, `query_only`, defensive, and trusts no schema; an
/// authorizer knows what statements may touch; lengths, columns and depths are limited, and so is
/// what `WITH` unfolds to. Used by one thread at a time.
final class SQLSandbox {
    let connection: Connection
    private var rules: AccessRules

    /// What an event's row needs beside its data.
    static let rowBytes: Int32 = 64 << 10

    /// - Parameters:
    ///   - path: of the store.
    ///   - eventBytes: of the largest event.
    init(path: String, eventBytes: Int) throws(SQLiteError) {
        connection = try Connection(path: path, role: .reader)
        try connection.execute("PRAGMA query_only = 0")
        rules = try SQLViews.make(on: connection)
        try close(eventBytes: eventBytes)
    }

    /// With an empty store in memory: to try statements on.
    init() throws(SQLiteError) {
        connection = try Connection(path: ":memory:", role: .writer)
        for step in Schema.current.steps { try connection.execute(step) }
        rules = try SQLViews.make(on: connection)
        try close(eventBytes: 256 << 10)
    }

    private func close(eventBytes: Int) throws(SQLiteError) {
        try connection.boundFunctions()
        // Made when they are first named, by a CREATE TABLE that the rules would refuse.
        _ = try connection.prepare("SELECT 1 FROM json_each('[]'), json_tree('[]')")
        try connection.execute("PRAGMA query_only = 1")
        var limits = StatementLimits()
        limits.lengthBytes = Int32(clamping: eventBytes) + SQLSandbox.rowBytes
        connection.limit(to: limits)
    }

    /// Compiles the one statement in `sql`.
    /// - Throws: `invalid_sql`, `sql_not_allowed`, and what keeps the store from being read.
    func prepare(_ sql: String) throws(QueryError) -> Statement {
        guard SQLComplexity.isBounded(sql) else {
            throw .sql("its WITH unfolds too far", code: "sql_too_complex")
        }
        let statement: Statement
        do throws(SQLiteError) {
            connection.restrict(to: nil)
            rules.schemaNames = try SQLViews.schemaNames(connection)
            connection.restrict(to: rules)
            statement = try connection.prepare(sql)
        } catch { throw .sql(error) }
        guard !statement.isExplain else {
            throw .sql("EXPLAIN is not offered", code: "sql_not_allowed")
        }
        guard statement.isReadOnly, statement.columnCount > 0 else {
            throw .sql("only a SELECT is offered", code: "sql_not_allowed")
        }
        return statement
    }
}
