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

    /// What SQLite said of a statement that others wrote.
    static func sql(_ error: SQLiteError) -> QueryError { sql(error, offset: error.offset) }

    static func sql(_ error: SQLiteError, offset: Int?) -> QueryError {
        if error.isInterrupted { return .late(cause: error) }
        let unavailable =
            error.isInputOutput || error.isCorrupt || error.isBusy || error.isFull
        if unavailable { return .store(error) }
        if error.isOutOfMemory || error.isRefusedValue {
            return QueryError(
                .unprocessable, code: "query_too_large",
                "the statement or one of its values is too large: \(error.message)")
        }
        var message = error.message
        if message == SQLTables.absence {
            message += "; there is one where logs can be searched (--logs-store search)"
        }
        return QueryError(
            .badRequest, code: error.isUnauthorized ? "sql_not_allowed" : "invalid_sql",
            message, parameter: "q", offset: offset)
    }
}
