import Primitives
import SQLite
import Storage

/// A bucket that is being counted anew, from its events, some of them at a time.
struct RollupRecount {
    /// Of the keeper.
    let index: Int
    let rollup: Int64
    /// Milliseconds since 1970, of the bucket.
    let start: Int64
    let end: Int64
    /// Events before it are counted.
    var next: Int64
    let cells: RollupCells
}

/// Counting buckets anew of which events have gone.
///
/// Events are read between batches, outside of a transaction, so a large bucket holds up nobody.
/// What is counted is thrown away if the bucket changes meanwhile; at the end it takes the place of
/// the bucket's rows in one transaction.
extension RollupSet {
    /// Events of one step: some 50 ms.
    private static let recountRows: Int64 = 30_000
    /// Memory of what is counted; a bucket with more groups than that stays as it is.
    private static let recountBytes = 64 << 20
    /// Between two looks for buckets that were passed over.
    private static let recountPause = Duration.seconds(60)

    func recountStep(_ store: EventStore, _ moment: ChoreMoment) throws(StorageError) {
        guard let table else { return }
        if recount == nil { recount = try nextStale(store, table, moment) }
        guard var current = recount else { return }
        let keeper = keepers[current.index]
        let isTouched = keeper.record.id != current.rollup || keeper.isWatchedTouched
        guard !isTouched, current.cells.byteCount <= RollupSet.recountBytes else {
            return passOver(current)
        }
        try count(&current, store)
        recount = current
        guard current.next >= current.end else { return }
        try store.changeDerived { (_) throws(SQLiteError) in
            try table.clearBucket(current.rollup, current.start)
            try keeper.write(current.cells, table)
        }
        recount = nil
    }

    /// Until the next look.
    private func passOver(_ current: RollupRecount) {
        keepers[current.index].staleBefore = current.start
        recount = nil
    }

    private func nextStale(
        _ store: EventStore, _ table: RollupTable, _ moment: ChoreMoment
    ) throws(StorageError) -> RollupRecount? {
        if moment.now >= nextLook {
            nextLook = moment.now + RollupSet.recountPause
            for keeper in keepers { keeper.staleBefore = .max }
        }
        for index in keepers.indices where keepers[index].record.isComplete {
            let keeper = keepers[index]
            guard let before = keeper.staleBefore else { continue }
            // A bucket whose beginning has been deleted by age loses more of it in a minute.
            let start = try store.look { (_) throws(SQLiteError) in
                try table.staleBucket(
                    keeper.record.id, from: store.retainedFrom, before: before)
            }
            guard let start else {
                keeper.staleBefore = nil
                continue
            }
            keeper.watch(start)
            return RollupRecount(
                index: index, rollup: keeper.record.id, start: start,
                end: start + keeper.rollup.widthMilliseconds, next: start,
                cells: newCells(index))
        }
        return nil
    }

    /// Counts the next events of the bucket.
    private func count(
        _ current: inout RollupRecount, _ store: EventStore
    ) throws(StorageError) {
        current.next = try store.look { [current] (connection) throws(SQLiteError) in
            let end = try RollupSet.sliceEnd(current, connection)
            let select = try connection.cached(
                """
                SELECT \(RollupSet.columns) FROM event_rows INDEXED BY event_time
                WHERE time >= ?1 AND time < ?2
                """)
            defer { select.reset() }
            select.bind(1, current.next)
            select.bind(2, end)
            while try select.step() {
                count(RollupSet.row(select), in: current.index, to: current.cells)
            }
            return end
        }
    }

    /// Where the next events of the bucket end, so that they are not many; never within a
    /// millisecond.
    private static func sliceEnd(
        _ current: RollupRecount, _ connection: Connection
    ) throws(SQLiteError) -> Int64 {
        let select = try connection.cached(
            """
            SELECT time FROM event_rows INDEXED BY event_time WHERE time >= ?1 AND time < ?2
            ORDER BY time LIMIT 1 OFFSET ?3
            """)
        defer { select.reset() }
        select.bind(1, current.next)
        select.bind(2, current.end)
        select.bind(3, recountRows)
        guard try select.step() else { return current.end }
        return max(select.integer(0), current.next + 1)
    }
}
