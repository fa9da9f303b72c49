import Primitives
import SQLite
import Storage

/// All rollups of a store, kept in the transactions of its rows.
///
///     options.derived = rollups                        // before the store is opened
///     for chore in rollups.chores { store.add(chore) }
///
/// A rollup that is declared, or declared anew, is filled from the rows that are there, step by
/// step between batches, while rows that come are counted at once: rows up to `filled` and after
/// `fillEnd` are in it (`RollupRecord`). Until both meet, no answer is taken from it.
package final class RollupSet: DerivedRows, @unchecked Sendable {
    // The writer's thread, but for `rollups`, `requests` and `filling`, which are constant or
    // locked.
    package let rollups: [Rollup]
    private let fields: RollupFields
    private(set) var keepers: [RollupKeeper] = []
    private(set) var table: RollupTable?
    /// To look types up; the store owns it.
    private weak var connection: Connection?
    /// Which rollups an event type belongs to: bit `n` for number `n`.
    private var masks: [Int64: UInt64] = [:]
    private var lastType: Int64 = -1
    private var lastMask: UInt64 = 0
    private var failure: SQLiteError?
    /// The bucket that is being counted anew.
    var recount: RollupRecount?
    /// When buckets that were passed over are looked for again.
    var nextLook = MonotonicTime(nanoseconds: 0)
    /// Names of rollups that are to be made anew.
    let requests = Locked<Set<String>>([])
    /// How many rollups are being filled.
    let filling = Locked(0)

    /// One bit each, and far more than anybody can keep up with.
    package static let countLimit = 32
    private static let maskLimit = 10_000

    /// - Parameter rollups: at most `countLimit`, their names all different.
    package init(_ rollups: [Rollup]) {
        precondition(rollups.count <= RollupSet.countLimit)
        self.rollups = rollups
        fields = RollupFields(
            rollups.flatMap { $0.groups + $0.feeds.map(\.field) })
    }

    // MARK: DerivedRows

    package func open(_ connection: Connection, lastSeq: Int64) throws(SQLiteError) {
        self.connection = connection
        table = try RollupTable(connection)
        let catalogue = RollupCatalogue(connection)
        let known = try catalogue.records()
        for record in known where declaration(of: record) == nil { try catalogue.drop(record.id) }
        keepers = []
        recount = nil
        for rollup in rollups {
            let fingerprint = rollup.fingerprint
            let found = known.first { $0.name == rollup.name && $0.fingerprint == fingerprint }
            var record = found
            if record == nil {
                record = try catalogue.add(
                    rollup.name, fingerprint: fingerprint, fillEnd: lastSeq)
            }
            if let record { keepers.append(RollupKeeper(rollup, record, fields)) }
        }
        rolledBack()
        noteWork()
    }

    private func declaration(of record: RollupRecord) -> Rollup? {
        rollups.first { $0.name == record.name && $0.fingerprint == record.fingerprint }
    }

    package func inserted(_ row: TalliedRow) {
        let mask = mask(of: row.typeID)
        guard mask != 0 else { return }
        fields.begin(row)
        for (index, keeper) in keepers.enumerated()
        where mask >> UInt64(index) & 1 == 1 { keeper.add(row.time) }
    }

    package func deleted(_ row: TalliedRow) {
        let mask = mask(of: row.typeID)
        guard mask != 0 else { return }
        fields.begin(row)
        for (index, keeper) in keepers.enumerated()
        where mask >> UInt64(index) & 1 == 1 && keeper.record.counts(row.seq) {
            keeper.remove(row.time)
        }
    }

    package func write(_ connection: Connection) throws(SQLiteError) {
        if let failure { throw failure }
        guard let table else { return }
        for keeper in keepers { try keeper.write(table) }
    }

    package func rolledBack() {
        for keeper in keepers { keeper.forget() }
        // A type's number may be given to another one now.
        masks.removeAll()
        lastType = -1
        failure = nil
    }

    package func close() {
        table = nil
        keepers = []
    }

    // MARK: Types

    private func mask(of type: Int64) -> UInt64 {
        if type == lastType { return lastMask }
        let mask = masks[type] ?? findMask(of: type)
        (lastType, lastMask) = (type, mask)
        return mask
    }

    private func findMask(of type: Int64) -> UInt64 {
        var mask: UInt64 = 0
        do throws(SQLiteError) {
            guard let connection else { return 0 }
            let select = try connection.cached("SELECT name FROM event_types WHERE id = ?1")
            defer { select.reset() }
            select.bind(1, type)
            guard try select.step() else { return 0 }
            let name = ExactText(select.text(0))
            for (index, rollup) in rollups.enumerated()
            where rollup.types.isEmpty || rollup.types.contains(where: { ExactText($0) == name }) {
                mask |= 1 << UInt64(index)
            }
        } catch {
            // `write` says so, within the same transaction.
            failure = error
        }
        if masks.count >= RollupSet.maskLimit { masks.removeAll() }
        masks[type] = mask
        return mask
    }

    // MARK: For the chores

    /// Counts a row of the file for one rollup, if it has events of that type.
    func count(_ row: TalliedRow, in index: Int) {
        guard mask(of: row.typeID) >> UInt64(index) & 1 == 1 else { return }
        fields.begin(row)
        keepers[index].add(row.time)
    }

    /// The same into cells that are nobody's yet.
    func count(_ row: TalliedRow, in index: Int, to cells: RollupCells) {
        guard mask(of: row.typeID) >> UInt64(index) & 1 == 1 else { return }
        fields.begin(row)
        cells.add(row.time, fields)
    }

    func newCells(_ index: Int) -> RollupCells { RollupCells(rollups[index], fields) }

    /// Puts a rollup without rows in the place of another.
    func replace(_ index: Int, by record: RollupRecord) {
        keepers[index] = RollupKeeper(rollups[index], record, fields)
        noteWork()
    }

    func noteWork() {
        let count = keepers.count { !$0.record.isComplete }
        filling.withLock { $0 = count }
    }

    /// Rollups that are being filled. Any thread.
    package var fillingCount: Int { filling.withLock { $0 } }

    /// Has a rollup made anew from the rows. Any thread.
    /// - Returns: false if there is none of that name.
    package func requestRebuild(_ name: String) -> Bool {
        guard rollups.contains(where: { $0.name == name }) else { return false }
        requests.withLock { _ = $0.insert(name) }
        return true
    }
}
