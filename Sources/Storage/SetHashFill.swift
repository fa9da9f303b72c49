import Primitives
import SQLite

/// Fills the set hashes of generations for rows that were stored before schema version 4.
///
/// The migration notes the highest `seq` of then as `setHashEnd`. Rows after it are hashed as they
/// come. This chore goes through the others in order; `setHashFilled` says how far, and is written in
/// the transaction of each step. A deletion subtracts only what has been added. Until the end is
/// reached nobody is told a hash (`Generations.state`).
extension EventStore {
    /// Some 10 ms.
    private static let fillRows: Int64 = 5000

    func fillSetHashes(_ writer: StoreWriter) throws(StorageError) {
        guard !writer.counters.areSetHashesKnown else { return }
        try writer.transact { (counters) throws(StorageError) in
            try attempt(path) { () throws(SQLiteError) in
                try EventStore.fillStep(writer.connection, &counters)
            }
        }
    }

    private static func fillStep(
        _ connection: Connection, _ counters: inout StoreCounters
    ) throws(SQLiteError) {
        let reader = RowReader(connection)
        let select = try connection.cached(
            """
            SELECT \(reader.columns) FROM event_rows WHERE seq > ?1 AND seq <= ?2
            ORDER BY seq LIMIT ?3
            """)
        select.bind(1, counters.setHashFilled)
        select.bind(2, counters.setHashEnd)
        select.bind(3, fillRows)
        var tally = GenerationTally()
        var count: Int64 = 0
        var last = counters.setHashEnd
        while try select.step() {
            let row = try reader.row(select)
            tally.add(type: row.typeID, time: row.time, changes: 0, hash: row.identity)
            last = row.seq
            count += 1
        }
        try tally.write(connection)
        counters.setHashFilled = count < fillRows ? counters.setHashEnd : last
    }
}
