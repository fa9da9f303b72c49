import Primitives
import SQLite

extension EventStore {
    /// Rows of an unused rollup that one step deletes: some 10 ms.
    private static let clearedRows: Int64 = 5000

    /// Runs `body` in a transaction that changes what is derived from events, and no event. The
    /// writer's thread only, in a chore.
    package func changeDerived<Result>(
        _ body: (Connection) throws(SQLiteError) -> Result
    ) throws(StorageError) -> Result {
        let writer = try writer()
        return try writer.transact(changesDerived: true) { (_) throws(StorageError) in
            try attempt(path) { () throws(SQLiteError) in try body(writer.connection) }
        }
    }

    /// Runs `body` with the writer's connection, outside of a transaction, to look whether there is
    /// something to do. The writer's thread only, in a chore.
    package func look<Result>(
        _ body: (Connection) throws(SQLiteError) -> Result
    ) throws(StorageError) -> Result {
        let writer = try writer()
        return try attempt(path) { () throws(SQLiteError) in try body(writer.connection) }
    }

    /// Events that are older have been deleted by age, whatever their type, milliseconds since
    /// 1970; as far as this process knows. The writer's thread only.
    package var retainedFrom: Int64 {
        let minute = openedWriter?.foldedTo ?? Generations.firstMinute
        return max(minute, Generations.firstMinute + 1) * 60_000
    }

    /// Deletes rows of rollups that nobody uses any more.
    func clearDroppedRollups(_ writer: StoreWriter) throws(StorageError) {
        guard writer.hasDroppedRollups else { return }
        writer.hasDroppedRollups = try writer.transact { (_) throws(StorageError) in
            try attempt(path) { () throws(SQLiteError) in
                let catalogue = RollupCatalogue(writer.connection)
                guard let id = try catalogue.dropped() else { return false }
                try catalogue.clear(id, limit: EventStore.clearedRows)
                return true
            }
        }
    }

    /// A rollup was dropped: its rows are to go. The writer's thread only.
    package func noteDroppedRollup() { openedWriter?.hasDroppedRollups = true }
}
