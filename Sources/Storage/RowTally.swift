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
    /// A JSON object.
    package var extensions: UnsafeRawBufferPointer?

    package init(
        seq: Int64, time: Int64, typeID: Int64, sourceID: Int64, identity: UInt64,
        subject: UnsafeRawBufferPointer?, data: UnsafeRawBufferPointer?,
        extensions: UnsafeRawBufferPointer?
    ) {
        self.seq = seq
        self.time = time
        self.typeID = typeID
        self.sourceID = sourceID
        self.identity = identity
        self.subject = subject
        self.data = data
        self.extensions = extensions
    }
}

/// What one transaction counts of the rows that it inserts and deletes. Whatever is derived from
/// rows hangs in here: every row that comes or goes passes exactly once, and what it adds up to
/// commits with it.
///
/// A struct with a member for each who counts, and not a list of closures: a row costs a few
/// nanoseconds. The writer's thread only.
struct RowTally {
    private var generations = GenerationTally()
    private let derived: (any DerivedRows)?

    init(_ derived: (any DerivedRows)?) { self.derived = derived }

    mutating func inserted(_ row: TalliedRow) {
        generations.add(type: row.typeID, time: row.time, changes: 1, hash: row.identity)
        derived?.inserted(row)
    }

    /// - Parameter isHashed: the row is in its generation's set hash, see `SetHashFill`.
    mutating func deleted(_ row: TalliedRow, isHashed: Bool) {
        generations.add(
            type: row.typeID, time: row.time, changes: 1, hash: isHashed ? 0 &- row.identity : 0)
        derived?.deleted(row)
    }

    /// Forgets what was counted: the transaction was rolled back, or has not begun. `StoreWriter` tells
    /// `DerivedRows`, which keep more than one transaction in memory.
    mutating func removeAll() { generations.removeAll() }

    /// Writes what was counted, and starts anew.
    mutating func write(_ connection: Connection) throws(SQLiteError) {
        try generations.write(connection)
        try derived?.write(connection)
    }
}
