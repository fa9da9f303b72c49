import SQLite

/// Deletes rows within a transaction, and counts them: the one way in which an event leaves the
/// store. The writer's thread only.
struct RowDeletion {
    private let connection: Connection
    private var tally = RowTally()
    private var seqs: [Int64] = []

    init(_ connection: Connection) { self.connection = connection }

    /// Columns that `add` reads, for a `SELECT … FROM event_rows`.
    static let columns =
        "seq, time, type_id, source_id" + (RowTally.readsContent ? ", subject, data" : "")

    var count: Int { seqs.count }

    /// Takes the row on which `select`, which has `columns`, stands.
    mutating func add(_ select: Statement) {
        seqs.append(select.integer(0))
        tally.deleted(
            TalliedRow(
                seq: select.integer(0), time: select.integer(1), typeID: select.integer(2),
                sourceID: select.integer(3),
                subject: RowTally.readsContent ? select.bytesOrNil(4) : nil,
                data: RowTally.readsContent ? select.bytesOrNil(5) : nil))
    }

    /// Deletes what was added.
    mutating func run(_ counters: inout StoreCounters) throws(SQLiteError) {
        let delete = try connection.cached("DELETE FROM event_rows WHERE seq = ?1")
        for seq in seqs {
            delete.bind(1, seq)
            try delete.run()
        }
        try tally.write(connection)
        counters.rows -= Int64(seqs.count)
        seqs.removeAll()
    }
}
