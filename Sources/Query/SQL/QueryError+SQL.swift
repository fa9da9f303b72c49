import SQLite

extension QueryError {
    /// Why a statement may not read the table `logs`; nil where it may.
    static func logs(_ access: SQLQuestion.LogAccess) -> QueryError? {
        switch access {
        case .granted: nil
        case .lacksScope:
            QueryError(
                .forbidden, code: "insufficient_scope",
                "the key lacks the scope logs:read, which the table logs needs", parameter: "q")
        case .notOffered:
            QueryError(
                .badRequest, code: "sql_not_allowed",
                "the table logs is offered at /query/sql alone, whose answers are not kept",
                parameter: "q")
        }
    }

    /// The statement is not one that is run here.
    static func sql(_ message: String, code: String, offset: Int? = nil) -> QueryError {
        QueryError(.badRequest, code: code, message, parameter: "q", offset: offset)
    }

    /// What SQLite said while it compiled a statement that others wrote.
    static func compiling(_ error: SQLiteError, offset: Int?) -> QueryError {
        guard error.isOutOfMemory, !error.isInterrupted, error.bound != .stack else {
            return sql(error, offset: offset)
        }
        // Without a bound it was `StatementLimits.instructions`, of which SQLite says the same.
        let what = error.bound == .memory ? "much memory to compile" : "many steps"
        return .sql("the statement takes too \(what)", code: tooComplex)
    }

    private static let tooComplex = "sql_too_complex"

    /// What SQLite said of a statement that others wrote.
    static func sql(_ error: SQLiteError) -> QueryError { sql(error, offset: error.offset) }

    private static func sql(_ error: SQLiteError, offset: Int?) -> QueryError {
        if error.isInterrupted { return .late(cause: error) }
        switch error.bound {
        case .stack: return .sql("the statement is nested too deep", code: tooComplex)
        case .memory:
            return tooLarge("the statement takes more memory than a statement may have")
        case .files:
            return tooLarge("what the statement sorts or keeps takes more disk than it may have")
        case .time, nil: break
        }
        let unavailable =
            error.isInputOutput || error.isCorrupt || error.isBusy || error.isFull
        if unavailable { return .store(error) }
        if error.isOutOfMemory || error.isRefusedValue {
            return tooLarge("the statement or one of its values is too large: \(error.message)")
        }
        var message = error.message
        if message == SQLTables.absence {
            message += "; there is one where logs can be searched (--logs-store search)"
        }
        return QueryError(
            .badRequest, code: error.isUnauthorized ? "sql_not_allowed" : "invalid_sql",
            message, parameter: "q", offset: offset)
    }

    private static func tooLarge(_ message: String) -> QueryError {
        QueryError(.unprocessable, code: "query_too_large", message)
    }
}
