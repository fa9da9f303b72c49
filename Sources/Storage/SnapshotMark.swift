import SQLite

/// What two connections have in common exactly if they see the same events.
///
/// `last_seq` grows with every event that is stored and is never given twice; without a new event
/// `event_count` changes with every one that is deleted. Both are written in the transaction that
/// changes the rows.
package struct SnapshotMark: Equatable, Sendable {
    private let lastSeq: Int64
    private let count: Int64

    /// Reads the mark in the snapshot that `connection` has, or takes one. A few microseconds.
    package init(_ connection: Connection) throws(SQLiteError) {
        lastSeq = try SnapshotMark.number("last_seq", connection)
        count = try SnapshotMark.number("event_count", connection)
    }

    private static func number(_ key: String, _ connection: Connection) throws(SQLiteError) -> Int64
    {
        let select = try connection.cached("SELECT value FROM meta WHERE key = ?1")
        defer { select.reset() }
        select.bind(1, key)
        return try select.step() ? select.integer(0) : 0
    }
}
