internal import CSQLite

/// How large the statements of one connection and their values may be (sqlite.org/c3ref/limit.html).
package struct StatementLimits: Sendable {
    /// Of a text, a blob or a row, in bytes; also what `zeroblob` and `group_concat` may make.
    package var lengthBytes: Int32 = 1 << 20
    package var sqlBytes: Int32 = 64 << 10
    package var columns: Int32 = 100
    package var expressionDepth: Int32 = 100
    /// Parts of a `UNION`.
    package var compoundSelects: Int32 = 20
    /// Instructions of the virtual machine in one statement.
    package var instructions: Int32 = 100_000
    package var arguments: Int32 = 32
    /// A long pattern of `LIKE` makes it take time in proportion to pattern times text.
    package var patternBytes: Int32 = 128
    package var variables: Int32 = 100

    package init() {}
}

extension Connection {
    /// Refuses statements beyond `limits` from now on. The corresponding C function is
    /// `sqlite3_limit`.
    package func limit(to limits: StatementLimits) {
        let values: [(Int32, Int32)] = [
            (SQLITE_LIMIT_LENGTH, limits.lengthBytes), (SQLITE_LIMIT_SQL_LENGTH, limits.sqlBytes),
            (SQLITE_LIMIT_COLUMN, limits.columns),
            (SQLITE_LIMIT_EXPR_DEPTH, limits.expressionDepth),
            (SQLITE_LIMIT_COMPOUND_SELECT, limits.compoundSelects),
            (SQLITE_LIMIT_VDBE_OP, limits.instructions),
            (SQLITE_LIMIT_FUNCTION_ARG, limits.arguments),
            (SQLITE_LIMIT_LIKE_PATTERN_LENGTH, limits.patternBytes),
            (SQLITE_LIMIT_VARIABLE_NUMBER, limits.variables), (SQLITE_LIMIT_ATTACHED, 0),
            (SQLITE_LIMIT_TRIGGER_DEPTH, 1), (SQLITE_LIMIT_WORKER_THREADS, 0),
        ]
        for (limit, value) in values { sqlite3_limit(handle, limit, value) }
    }
}
