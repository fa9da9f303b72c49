import Primitives
import SQLite
import Storage

/// Answers a plan from the rows of a rollup and, for the rest of the range, from the events.
struct RollupScan {
    /// For the events: over what, and with whose help.
    let scan: QueryScan
    let rollup: RollupPlan
    /// The greatest `seq` of the snapshot.
    let lastSeq: Int64

    static let sql = """
        SELECT bucket, key, count, state FROM rollup_rows
        WHERE rollup_id = ?1 AND bucket >= ?2 AND bucket < ?3
        """

    /// Writes the page that is asked for.
    /// - Returns: whether there are more rows.
    func run(_ encoder: inout RowEncoder) throws(ScanFailure) -> Bool {
        var layout = ScanLayout(scan.plan)
        layout.isSketched = !rollup.cover.sketched.isEmpty
        let bounds = scan.bounds()
        let part = ScanPart(
            scan.plan, layout, ScanRange(noneUpTo: lastSeq), scan.connection, bounds)
        for range in rollup.raw {
            var events = scan
            events.plan = scan.plan.narrowed(to: range)
            events.isSketched = layout.isSketched
            let found = try events.gather()
            try part.absorb(found.tally, within: found.bounds)
        }
        do throws(SQLiteError) { try addRows(to: part) } catch {
            throw .sqlite(error)
        }
        if part.bounds.isExceeded { throw .tooLarge }
        try part.bounds.look()
        return try ScanRows(scan.plan, part).write(to: &encoder)
    }

    /// Adds the rows of the rollup to the groups of the answer.
    private func addRows(to part: ScanPart) throws(SQLiteError) {
        guard !rollup.whole.isEmpty else { return }
        let plan = scan.plan
        let finder = plan.buckets.map {
            BucketFinder($0, rollup.whole.lowerBound...rollup.whole.upperBound - 1)
        }
        var places = RollupPlaces(
            try RollupRowReader(rollup.cover, plan, part, scan.connection), finder, part.tally)
        let select = try scan.connection.cached(RollupScan.sql)
        // An unfinished statement would keep its snapshot and hold up the checkpoints.
        defer { select.reset() }
        select.bind(1, rollup.record.id)
        select.bind(2, rollup.whole.lowerBound)
        select.bind(3, rollup.whole.upperBound)
        var sinceCheck = 0
        while try select.step() {
            let start = select.integer(0)
            if rollup.leftOut.contains(start) { continue }
            // Before the conditions, which may look up a name for each row.
            sinceCheck += 1
            if sinceCheck == ScanBounds.interval {
                sinceCheck = 0
                guard part.bounds.allows(part.byteCount) else { return }
            }
            guard let group = try places.group(start, key: select.bytes(1)) else { continue }
            part.tally.add(rows: select.integer(2), to: group)
            places.reader.merge(select.bytes(3), into: group)
        }
    }
}

/// Reads keys and states of one rollup's rows for one plan. Belongs to its connection's thread.
struct RollupRowReader {
    private let cover: RollupCover
    private let part: ScanPart
    private let conditions: [(group: Int, condition: ScanCondition)]
    private let types: Set<Int64>
    /// For each state of a row, the accumulator of the answer that takes it.
    private let takers: [Accumulator?]
    private var values: [QueryValue]
    /// The plan's groups of the row read last; they lie in its key.
    private(set) var groups: [QueryValue]

    init(
        _ cover: RollupCover, _ plan: QueryPlan, _ part: ScanPart, _ connection: Connection
    ) throws(SQLiteError) {
        self.cover = cover
        self.part = part
        conditions = cover.conditions.map { ($0.group, ScanCondition($0.reading, $0.condition)) }
        types =
            cover.typeGroup == nil
            ? [] : Set(try Generations.typeIDs(connection, plan.request.types))
        var takers = [Accumulator?](repeating: nil, count: cover.rollup.feeds.count)
        for (index, feed) in cover.feeds.enumerated() {
            takers[feed] = part.tally.accumulators[index]
        }
        self.takers = takers
        values = Array(repeating: .null, count: cover.rollup.groups.count)
        groups = Array(repeating: .null, count: cover.groups.count)
    }

    /// Where a row belongs depends on its key.
    var readsGroups: Bool { cover.readsGroups }

    /// Reads a key.
    /// - Returns: whether its row counts.
    mutating func holds(_ key: UnsafeRawBufferPointer) throws(SQLiteError) -> Bool {
        guard cover.readsGroups else { return true }
        var bytes = ByteReader(key)
        for index in values.indices { values[index] = RollupKey.take(&bytes) }
        if let group = cover.typeGroup {
            guard case .integer(let type) = values[group], types.contains(type) else {
                return false
            }
        }
        for (group, condition) in conditions where !condition.holds(try named(group)) {
            return false
        }
        for (index, group) in cover.groups.enumerated() { groups[index] = values[group] }
        return true
    }

    /// A value as conditions see it: types and sources by name.
    private func named(_ group: Int) throws(SQLiteError) -> QueryValue {
        guard case .integer(let id) = values[group] else { return values[group] }
        switch cover.rollup.groups[group].place {
        case .type: return try part.types.name(id)
        case .source: return try part.sources.name(id)
        default: return values[group]
        }
    }

    /// Adds the state of a row to a group of the answer.
    func merge(_ state: UnsafeRawBufferPointer, into group: Int) {
        var parts = RollupState(state)
        for taker in takers {
            var bytes = ByteReader(parts.next())
            taker?.merge(&bytes, into: group)
        }
    }
}
