import SQLite

extension QueryError {
    /// The statement is not one that is run here.
    static func sql(_ message: String, code: String) -> QueryError {
        QueryError(.badRequest, code: code, message, parameter: "q")
    }

    /// What SQLite said of a statement that others wrote.
    static func sql(_ error: SQLiteError) -> QueryError {
        if error.isInterrupted { return .late(cause: error) }
        let unavailable =
            error.isInputOutput || error.isCorrupt || error.isBusy || error.isFull
        if unavailable { return .store(error) }
        if error.isOutOfMemory || error.isRefusedValue {
            return QueryError(
                .unprocessable, code: "query_too_large",
                "the statement or one of its values is too large: \(error.message)")
        }
        return QueryError(
            .badRequest, code: error.isUnauthorized ? "sql_not_allowed" : "invalid_sql",
            error.message, parameter: "q", offset: error.offset)
    }
}
