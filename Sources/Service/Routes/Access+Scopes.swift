import HTTPServer

/// The scopes that a key may have.
extension Access {
    /// Sending events.
    static let eventsWrite = Access.scope("events:write")
    /// Reading and following events.
    static let eventsRead = Access.scope("events:read")
    /// Asking questions.
    static let query = Access.scope("query")
    /// Asking in SQL.
    static let querySQL = Access.scope("query:sql")
    /// Sending logs.
    static let logsWrite = Access.scope("logs:write")
    /// Reading and following logs.
    static let logsRead = Access.scope("logs:read")
    /// Operating the service.
    static let admin = Access.scope("admin")
}
