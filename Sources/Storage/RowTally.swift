import SQLite

/// A row that comes or goes, as those see it who keep count. Its bytes are borrowed for the call.
package struct TalliedRow {
    package var seq: Int64
    /// Milliseconds since 1970.
    package var time: Int64
    package var typeID: Int64
    package var sourceID: Int64
    /// See `IdentityHash`.
    package var identity: UInt64
    package var subject: UnsafeRawBufferPointer?
    /// JSON text.
    package var data: UnsafeRawBufferPointer?
}

/// What one transaction counts of the rows that it inserts and deletes. Whatever is derived from
/// rows hangs in here: every row that comes or goes passes exactly once, and what it adds up to
/// commits with it.
///
/// A struct with a member for each who counts, and not a list of closures: a row costs a few
/// nanoseconds. The writer's thread only.
struct RowTally {
    private var generations = GenerationTally()

    /// Whether `deleted` needs `subject` and `data`, which cost a deletion the reading of the row.
    static let readsContent = false

    mutating func inserted(_ row: TalliedRow) {
        generations.add(type: row.typeID, time: row.time, changes: 1, hash: row.identity)
    }

    /// - Parameter isHashed: the row is in its generation's set hash, see `SetHashFill`.
    mutating func deleted(_ row: TalliedRow, isHashed: Bool) {
        generations.add(
            type: row.typeID, time: row.time, changes: 1, hash: isHashed ? 0 &- row.identity : 0)
    }

    /// Forgets what was counted: the transaction was rolled back, or has not begun.
    mutating func removeAll() { generations.removeAll() }

    /// Writes what was counted, and starts anew.
    mutating func write(_ connection: Connection) throws(SQLiteError) {
        try generations.write(connection)
    }
}
