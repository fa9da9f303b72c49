import SQLite

/// A request as one SQL statement. Every value from the client is among the bindings; the text
/// holds only what the compiler wrote, so requests of one form share a prepared statement.
package struct CompiledQuery: Hashable, Sendable {
    package struct Column: Hashable, Sendable {
        package let name: String
        /// Its integers are milliseconds since 1970.
        package let isTime: Bool
    }

    package let sql: String
    /// For the parameters 1, 2, …
    package let bindings: [SQLValue]
    package let columns: [Column]
}
