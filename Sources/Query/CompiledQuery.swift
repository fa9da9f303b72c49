import SQLite

/// A request as one SQL statement. Every value from the client is among the bindings; the text
/// holds only what the compiler wrote, so requests of one form share a prepared statement.
struct CompiledQuery: Hashable, Sendable {
    let sql: String
    /// For the parameters 1, 2, …
    let bindings: [SQLValue]
}
