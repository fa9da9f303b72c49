import Primitives
import SQLite
import Storage

/// Maintains the rows of one rollup: adds up the events that a transaction inserts or deletes, and
/// writes each changed cell once. The writer's thread.
///
/// DESIGN. Cells stay in memory from one transaction to the next with all that the file holds of
/// them, so a batch costs one write for each cell that it touches and reads only those that are new
/// here. The rows of the file are always what memory says at a commit; after a rollback memory is
/// forgotten.
///
/// Inserted events are added to their cell. Deleted ones are added up apart and subtracted at the end
/// of the transaction. Counts and sums stay exact. A least or greatest value, or a sketch, cannot be
/// known after its event is gone: the bucket is then *stale* and recounted later (`RollupSet`), and
/// until then the planner reads its events where such a metric is asked for.
///
/// A bucket with `maxGroups` rows takes no new ones: its other groups share the row
/// `RollupKey.other`, and it is *overflowed* until it is empty, so that a group is always in one
/// and the same row.
final class RollupKeeper {
    let rollup: Rollup
    /// As of the last commit that this process knows of.
    var record: RollupRecord
    private let fields: RollupFields
    private var cells: RollupCells
    private var gone: RollupCells
    private var buckets: [Int64: RollupBucket] = [:]
    private var changedBuckets: Set<Int64> = []
    private var state = ByteBuffer(capacity: 1024)
    private var key = ByteBuffer(capacity: 256)
    /// Buckets that begin before it may wait to be counted anew; nil if there are none.
    var staleBefore: Int64? = .max
    /// A bucket that somebody counts anew, and whether it has changed since.
    private var watchedBucket: Int64?
    private(set) var isWatchedTouched = false
    /// Cells no longer say what the file says: they are forgotten when it is written.
    private var isOutdated = false

    /// Cells and bytes that stay in memory between two transactions.
    private static let cellLimit = 65_536
    private static let byteLimit = 16 << 20
    /// Writes between two looks at the bytes, which cost a look at each cell.
    private static let lookInterval = 32
    private var writes = 0

    init(_ rollup: Rollup, _ record: RollupRecord, _ fields: RollupFields) {
        self.rollup = rollup
        self.record = record
        self.fields = fields
        cells = RollupCells(rollup, fields)
        gone = RollupCells(rollup, fields)
    }

    /// The row that `fields` stands on has come.
    func add(_ time: Int64) { cells.add(time, fields) }
    /// The row that `fields` stands on goes.
    func remove(_ time: Int64) { gone.add(time, fields) }

    /// Notes from now on whether the bucket that begins at `start` changes.
    func watch(_ start: Int64) {
        watchedBucket = start
        isWatchedTouched = false
    }

    /// Writes a bucket that was counted anew; its rows in the file are gone.
    func write(_ recounted: RollupCells, _ table: RollupTable) throws(SQLiteError) {
        forget()
        cells = recounted
        isOutdated = true
        try write(table)
    }

    /// Forgets what is in memory.
    func forget() {
        cells = RollupCells(rollup, fields)
        gone = RollupCells(rollup, fields)
        buckets.removeAll()
        changedBuckets.removeAll()
        isOutdated = false
    }

    /// Writes what was added up.
    func write(_ table: RollupTable) throws(SQLiteError) {
        guard !cells.changed.isEmpty || !gone.changed.isEmpty else { return }
        noteTouches()
        // The list grows while groups move into the row for all others.
        var index = 0
        while index < cells.changed.count {
            try settle(cells.changed[index], table)
            index += 1
        }
        for cell in gone.changed { try takeAway(cell, table) }
        for cell in cells.changed { try write(cell, table) }
        cells.settle()
        for start in changedBuckets {
            guard let bucket = buckets[start] else { continue }
            try table.write(record.id, start, bucket)
        }
        changedBuckets.removeAll(keepingCapacity: true)
        writes += 1
        let isLarge =
            cells.counts.count > Self.cellLimit
            || writes % Self.lookInterval == 0 && cells.byteCount > Self.byteLimit
        if isOutdated || isLarge || !gone.changed.isEmpty { forget() }
    }

    private func noteTouches() {
        guard let watchedBucket, !isWatchedTouched else { return }
        isWatchedTouched =
            cells.changed.contains { cells.place($0).bucket == watchedBucket }
            || gone.changed.contains { gone.place($0).bucket == watchedBucket }
    }

    // MARK: Inserted events

    /// Adds to a changed cell what the file has of it, or moves it into the row for all others.
    private func settle(_ cell: Int, _ table: RollupTable) throws(SQLiteError) {
        guard !cells.isLoaded(cell), cells.counts[cell] != 0 else { return }
        let isKnown = try load(cell, table)
        if isKnown { return }
        let (start, key) = cells.place(cell)
        let isOther = RollupKey.isOther(key)
        var bucket = try bucket(start, table)
        if isOther {
            bucket.flags.insert(.overflowed)
        } else if bucket.flags.contains(.overflowed) || bucket.groups >= Int64(rollup.maxGroups) {
            bucket.flags.insert(.overflowed)
            moveToOthers(cell, start)
        } else {
            bucket.groups += 1
        }
        buckets[start] = bucket
        changedBuckets.insert(start)
    }

    /// - Returns: false if the file has nothing of the cell.
    private func load(_ cell: Int, _ table: RollupTable) throws(SQLiteError) -> Bool {
        let (start, key) = cells.place(cell)
        let isKnown = try table.read(record.id, start, key) { count, state in
            cells.merge(count: count, state: state, into: cell)
        }
        cells.noteLoaded(cell)
        return isKnown
    }

    private func moveToOthers(_ cell: Int, _ start: Int64) {
        key.removeAll()
        key.append(littleEndian: UInt64(bitPattern: start))
        key.append(RollupKey.other)
        let others = cells.number(of: key.span)
        state.removeAll()
        cells.write(cell, to: &state)
        cells.merge(count: cells.counts[cell], state: state.span, into: others)
        cells.counts[cell] = 0
        cells.noteChange(others)
        isOutdated = true
    }

    private func write(_ cell: Int, _ table: RollupTable) throws(SQLiteError) {
        // Its events are in the row for all others, or gone.
        guard cells.counts[cell] != 0 else { return }
        state.removeAll()
        cells.write(cell, to: &state)
        let (start, key) = cells.place(cell)
        try table.write(record.id, start, key, count: cells.counts[cell], state: state.span)
    }

    private func bucket(_ start: Int64, _ table: RollupTable) throws(SQLiteError) -> RollupBucket {
        if let known = buckets[start] { return known }
        return try table.bucket(record.id, start) ?? RollupBucket()
    }

    // MARK: Deleted events

    private func takeAway(_ source: Int, _ table: RollupTable) throws(SQLiteError) {
        key.removeAll()
        key.append(gone.keys.key(source))
        let start = gone.place(source).bucket
        var bucket = try bucket(start, table)
        var cell = cells.number(of: key.span)
        if !cells.isLoaded(cell), try !load(cell, table), bucket.flags.contains(.overflowed) {
            key.truncate(to: 8)
            key.append(RollupKey.other)
            cell = cells.number(of: key.span)
            if !cells.isLoaded(cell) { _ = try load(cell, table) }
        }
        if cells.counts[cell] < gone.counts[source] {
            // It was never counted: a mistake of ours, which must not become a wrong answer.
            bucket.flags.insert(.broken)
        } else {
            if !cells.subtract(gone, source, from: cell) { bucket.flags.insert(.stale) }
            cells.noteChange(cell)
            if cells.counts[cell] == 0 { try remove(cell, &bucket, table) }
        }
        buckets[start] = bucket
        if !bucket.flags.isDisjoint(with: [.stale, .broken]) { staleBefore = .max }
        if bucket.groups == 0, try isEmpty(start, table) {
            try table.removeBucket(record.id, start)
            buckets[start] = nil
            changedBuckets.remove(start)
        } else {
            changedBuckets.insert(start)
        }
    }

    private func remove(
        _ cell: Int, _ bucket: inout RollupBucket, _ table: RollupTable
    ) throws(SQLiteError) {
        let (start, key) = cells.place(cell)
        try table.remove(record.id, start, key)
        if !RollupKey.isOther(key) { bucket.groups -= 1 }
    }

    /// Whether a bucket without groups has no row for all others either.
    private func isEmpty(_ start: Int64, _ table: RollupTable) throws(SQLiteError) -> Bool {
        key.removeAll()
        key.append(littleEndian: UInt64(bitPattern: start))
        key.append(RollupKey.other)
        let others = cells.number(of: key.span)
        if !cells.isLoaded(others) { _ = try load(others, table) }
        return cells.counts[others] == 0
    }
}
