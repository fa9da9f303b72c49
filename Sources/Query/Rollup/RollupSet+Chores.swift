import Primitives
import SQLite
import Storage

/// What the writer's thread does for rollups between batches.
extension RollupSet {
    /// Rows of one step of filling: some 20 ms.
    private static let fillRows: Int64 = 10_000
    /// Rows of a bucket that is counted anew in one transaction: some 50 ms.
    private static let recountRows: Int64 = 30_000

    private static let columns = "seq, time, type_id, source_id, subject, data, extensions"

    package var chores: [StoreChore] {
        [
            StoreChore(
                "rollups", isUrgent: { [self] in hasWork.withLock { $0 } || isAsked }
            ) { [self] (store, moment) throws(StorageError) in
                try rebuildAsked(store)
                try fillStep(store)
                if moment.isIdle { try recountStale(store) }
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
    private static func row(_ select: Statement) -> TalliedRow {
        TalliedRow(
            seq: select.integer(0), time: select.integer(1), typeID: select.integer(2),
            sourceID: select.integer(3), identity: 0, subject: select.bytesOrNil(4),
            data: select.bytesOrNil(5), extensions: select.bytesOrNil(6))
    }

    // MARK: Counting anew

    /// Counts a bucket anew of which events have gone.
    private func recountStale(_ store: EventStore) throws(StorageError) {
        guard let table else { return }
        for index in keepers.indices where keepers[index].record.isComplete {
            let keeper = keepers[index]
            // A bucket of which the beginning has been deleted by age loses more of it in a minute.
            guard let before = keeper.staleBefore else { continue }
            let start = try store.look { (_) throws(SQLiteError) in
                try table.staleBucket(
                    keeper.record.id, from: store.retainedFrom, before: before)
            }
            guard let start else {
                keeper.staleBefore = nil
                continue
            }
            let isDone = try store.changeDerived { (connection) throws(SQLiteError) in
                try recount(start, index, table, connection)
            }
            // One with more rows than that stays as it is, and its events are read instead.
            if !isDone { keeper.staleBefore = start }
            return
        }
    }

    /// - Returns: false if the bucket has too many rows.
    private func recount(
        _ start: Int64, _ index: Int, _ table: RollupTable, _ connection: Connection
    ) throws(SQLiteError) -> Bool {
        let keeper = keepers[index]
        let rows = try connection.cached(
            """
            SELECT count(*) FROM (SELECT 1 FROM event_rows INDEXED BY event_time
                WHERE time >= ?1 AND time < ?2 LIMIT ?3)
            """)
        defer { rows.reset() }
        rows.bind(1, start)
        rows.bind(2, start + keeper.rollup.widthMilliseconds)
        rows.bind(3, RollupSet.recountRows + 1)
        guard try rows.step(), rows.integer(0) <= RollupSet.recountRows else { return false }
        try table.clearBucket(keeper.record.id, start)
        keeper.forget()
        let select = try connection.cached(
            """
            SELECT \(RollupSet.columns) FROM event_rows INDEXED BY event_time
            WHERE time >= ?1 AND time < ?2
            """)
        defer { select.reset() }
        select.bind(1, start)
        select.bind(2, start + keeper.rollup.widthMilliseconds)
        while try select.step() { count(RollupSet.row(select), in: index) }
        try write(connection)
        return true
    }
}
