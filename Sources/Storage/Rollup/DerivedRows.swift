import SQLite

/// What is computed from events and kept beside them: a part that sees every row that comes or
/// goes, and writes what follows from it into the same transaction.
///
/// A protocol, because `Storage` may not know what questions mean: `RollupSet` of `Query` keeps it,
/// and the tests of this room have one of their own. All of it is called on the writer's thread.
package protocol DerivedRows: AnyObject, Sendable {
    /// Compares what the file has with what is declared. Runs in a transaction, before any row
    /// comes.
    /// - Parameter lastSeq: rows up to it are there already.
    func open(_ connection: Connection, lastSeq: Int64) throws(SQLiteError)
    /// A row was inserted. Its bytes are borrowed for the call.
    func inserted(_ row: TalliedRow)
    /// A row is about to go. Its bytes are borrowed for the call.
    func deleted(_ row: TalliedRow)
    /// Writes what was counted since the last call, within the transaction of the rows.
    func write(_ connection: Connection) throws(SQLiteError)
    /// The transaction was rolled back, or may have been: nothing that is held in memory counts.
    func rolledBack()
    /// The connection is about to close.
    func close()
}
