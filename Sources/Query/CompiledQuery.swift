import SQLite

/// A request as one SQL statement. Every value from the client is among the bindings; the text
/// holds only what the compiler wrote, so requests of one form share a prepared statement.
package struct CompiledQuery: Hashable, Sendable {
    package struct Column: Hashable, Sendable {
        package let name: String
        /// What its values are, whatever the events hold; nil where only they decide. Any value may
        /// be null.
        package let type: QueryResult.ColumnType?

        /// Its integers are milliseconds since 1970.
        package var isTime: Bool { type == .time }
    }

    package let sql: String
    /// For the parameters 1, 2, …
    package let bindings: [SQLValue]
    package let columns: [Column]
}
