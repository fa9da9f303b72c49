import Primitives
import SQLite
import Storage

/// What the writer's thread does for rollups between batches.
extension RollupSet {
    /// Rows of one step of filling: some 20 ms.
    private static let fillRows: Int64 = 10_000

    static let columns = "seq, time, type_id, source_id, subject, data, extensions"

    package var chores: [StoreChore] {
        [
            StoreChore(
                "rollups", isUrgent: { [self] in fillingCount > 0 || isAsked }
            ) { [self] (store, moment) throws(StorageError) in
                try rebuildAsked(store)
                try fillStep(store)
                if moment.isIdle { try recountStep(store, moment) }
            }
        ]
    }

    private var isAsked: Bool { requests.withLock { !$0.isEmpty } }

    // MARK: Rebuilding

    /// Begins the rollups anew that somebody asked for.
    private func rebuildAsked(_ store: EventStore) throws(StorageError) {
        guard let name = requests.withLock({ $0.first }) else { return }
        if let index = rollups.firstIndex(where: { $0.name == name }) {
            let old = keepers[index].record.id
            let record = try store.changeDerived { (connection) throws(SQLiteError) in
                let catalogue = RollupCatalogue(connection)
                let last = try connection.integer(
                    "SELECT value FROM meta WHERE key = 'last_seq'")
                try catalogue.drop(old)
                return try catalogue.add(
                    name, fingerprint: rollups[index].fingerprint, fillEnd: last ?? 0)
            }
            replace(index, by: record)
            store.noteDroppedRollup()
        }
        requests.withLock { _ = $0.remove(name) }
    }

    // MARK: Filling

    /// Counts some of the rows that were there before the rollup was declared.
    private func fillStep(_ store: EventStore) throws(StorageError) {
        guard let index = keepers.firstIndex(where: { !$0.record.isComplete }) else { return }
        let record = keepers[index].record
        let filled = try store.changeDerived { (connection) throws(SQLiteError) in
            let filled = try fill(record, index, connection)
            try RollupCatalogue(connection).setFilled(record.id, filled)
            return filled
        }
        keepers[index].record.filled = filled
        noteWork()
    }

    /// - Returns: the last row that is counted.
    private func fill(
        _ record: RollupRecord, _ index: Int, _ connection: Connection
    ) throws(SQLiteError) -> Int64 {
        let select = try connection.cached(
            """
            SELECT \(RollupSet.columns) FROM event_rows WHERE seq > ?1 AND seq <= ?2
            ORDER BY seq LIMIT ?3
            """)
        defer { select.reset() }
        select.bind(1, record.filled)
        select.bind(2, record.fillEnd)
        select.bind(3, RollupSet.fillRows)
        var rows: Int64 = 0
        var last = record.fillEnd
        while try select.step() {
            last = select.integer(0)
            count(RollupSet.row(select), in: index)
            rows += 1
        }
        try write(connection)
        return rows < RollupSet.fillRows ? record.fillEnd : last
    }

    /// The row on which `select`, which has `columns`, stands. Valid until the next step.
    static func row(_ select: Statement) -> TalliedRow {
        TalliedRow(
            seq: select.integer(0), time: select.integer(1), typeID: select.integer(2),
            sourceID: select.integer(3), identity: 0, subject: select.bytesOrNil(4),
            data: select.bytesOrNil(5), extensions: select.bytesOrNil(6))
    }
}
