import Primitives
import SQLite

/// Deletes rows within a transaction, and counts them: the one way in which an event leaves the
/// store. The writer's thread only.
struct RowDeletion {
    private let connection: Connection
    private let counters: StoreCounters
    private let reader: RowReader
    private var tally: RowTally
    private var seqs: [Int64] = []

    /// - Parameter counters: of the transaction so far.
    init(
        _ connection: Connection, _ counters: StoreCounters, _ derived: (any DerivedRows)?
    ) {
        tally = RowTally(derived)
        self.connection = connection
        self.counters = counters
        reader = RowReader(connection, readsContent: derived != nil)
    }

    var count: Int { seqs.count }

    /// The columns of the rows that `add` takes, for a `SELECT … FROM event_rows`.
    var columns: String { reader.columns }

    /// Takes the row on which `select`, which has `columns`, stands.
    /// - Returns: the row, its bytes valid until the next step.
    @discardableResult
    mutating func add(_ select: Statement) throws(SQLiteError) -> TalliedRow {
        let row = try reader.row(select)
        seqs.append(row.seq)
        tally.deleted(row, isHashed: counters.isSetHashed(row.seq))
        return row
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

/// Reads rows in the form in which `RowTally` takes them.
struct RowReader {
    private let names: EventNames
    private let hash = IdentityHash()

    private let readsContent: Bool

    /// - Parameter readsContent: whether somebody needs more of a row than its identity; it costs the
    ///   reading of all of it.
    init(_ connection: Connection, readsContent: Bool = false) {
        names = EventNames(connection)
        self.readsContent = readsContent
    }

    /// For a `SELECT … FROM event_rows`.
    var columns: String {
        "seq, time, type_id, source_id, key, id"
            + (readsContent ? ", subject, data, extensions" : "")
    }

    /// The row on which `select` stands; its bytes are valid until the next step.
    func row(_ select: Statement) throws(SQLiteError) -> TalliedRow {
        var source = try names.source(select.integer(3))
        let identity = source.withUTF8 { source in
            let source = UnsafeRawBufferPointer(source)
            if let id = select.bytesOrNil(5) { return hash(source: source, id: id) }
            return hash(source: source, generated: select.key(4) ?? Key128(high: 0, low: 0))
        }
        return TalliedRow(
            seq: select.integer(0), time: select.integer(1), typeID: select.integer(2),
            sourceID: select.integer(3), identity: identity,
            subject: readsContent ? select.bytesOrNil(6) : nil,
            data: readsContent ? select.bytesOrNil(7) : nil,
            extensions: readsContent ? select.bytesOrNil(8) : nil)
    }
}
