import Primitives
import SQLite

/// The rows of an answer out of the groups of a scan: filled, ordered, cut.
final class ScanRows {
    /// A group, or an empty bucket of the groups that another group has.
    private struct Row: BitwiseCopyable {
        var bucket: Int64
        var group: Int32
        var isEmpty: Bool
    }

    private let plan: QueryPlan
    private let tally: ScanTally
    private let types: NameTable
    private let sources: NameTable
    private let bounds: ScanBounds
    /// The first `kept` rows of those that were added are among them.
    private var rows = GrowingArray<Row>()
    /// Rows up to the end of the page, and one more.
    private let kept: Int
    /// The last of the rows that are kept; a row that does not precede it is not wanted.
    private var last: Row?

    /// Rows, filled ones too, that are put in order in memory: 16 bytes each, and as much again to
    /// sort them.
    static let limit = 1 << 20
    /// Rows between two looks while they are sorted: a comparison can take microseconds.
    private static let runLength = 256
    /// Fewer than this are never sorted only to be dropped.
    private static let leastDropped = 1 << 16

    convenience init(_ plan: QueryPlan, _ part: ScanPart) {
        self.init(
            plan, part.tally, types: part.types, sources: part.sources, bounds: part.bounds)
    }

    init(
        _ plan: QueryPlan, _ tally: ScanTally, types: NameTable, sources: NameTable,
        bounds: ScanBounds
    ) {
        self.plan = plan
        self.tally = tally
        self.types = types
        self.sources = sources
        self.bounds = bounds
        kept = plan.offset + plan.request.limit + 1
    }

    /// Writes the page that is asked for.
    /// - Returns: whether there are more rows.
    func write(to encoder: inout RowEncoder) throws(ScanFailure) -> Bool {
        for accumulator in tally.accumulators { try accumulator.finish(bounds) }
        // The comparison of names may have to look them up, which may fail.
        try loadNames()
        for group in 0..<tally.count {
            try bounds.look(at: group)
            try add(Row(bucket: tally.bucket(group), group: Int32(group), isEmpty: false))
        }
        try fill()
        try sort()
        let columns = plan.request.columns.indices
        guard plan.offset < rows.count else { return false }
        for index in plan.offset..<rows.count {
            if encoder.rowCount == plan.request.limit || encoder.isFull { return true }
            if index.isMultiple(of: ScanBounds.interval) { try bounds.look() }
            for column in columns { encoder.append(value(rows[index], column)) }
        }
        return false
    }

    /// Adds a row, unless it lies beyond the page.
    /// - Throws: `tooLarge` where the page ends so far down that too many rows lie before it.
    private func add(_ row: Row) throws(ScanFailure) {
        if let last, !precedes(row, last) { return }
        rows.append(row)
        guard rows.count >= max(ScanRows.leastDropped, kept * 2) || rows.count >= ScanRows.limit
        else { return }
        // Half of them are dropped at the least, or each row would cost a sort.
        guard kept <= ScanRows.limit / 2 else { throw .tooLarge }
        try sort()
        rows.truncate(to: kept)
        last = rows[kept - 1]
    }

    private func sort() throws(ScanFailure) {
        var room = GrowingArray<Row>(capacity: max(rows.count, 1))
        room.extend(to: rows.count, Row(bucket: 0, group: 0, isEmpty: true))
        try MergeSort(bounds, runLength: ScanRows.runLength).sort(rows.buffer, room.buffer) {
            precedes($0, $1)
        }
    }

    /// Adds a row for each bucket without events, for every group that has a row in any bucket.
    private func fill() throws(ScanFailure) {
        guard plan.request.fill != nil, let buckets = plan.buckets else { return }
        let rests = KeyTable()
        var owners: [Int32] = []
        var known = Set<Place>()
        for index in 0..<tally.count {
            let group = Int32(index)
            let number = rests.number(of: tally.rest(index))
            if number == owners.count {
                owners.append(group)
            } else if tally.realMask(index) < tally.realMask(Int(owners[number])) {
                // Of equal numbers the integer is shown, in whatever order the rows came.
                owners[number] = group
            }
            known.insert(Place(bucket: tally.bucket(index), rest: number))
            guard index.isMultiple(of: ScanBounds.interval) else { continue }
            try bounds.look()
            try checkMemory(rests.byteCount + index * ScanRows.placeBytes)
        }
        // Without groups there is one, and it is there without rows as well.
        if plan.request.groups.isEmpty, owners.isEmpty { owners = [-1] }
        guard let starts = try? buckets.starts(from: plan.from, to: plan.filledEnd) else { return }
        var step = 0
        for start in starts {
            for (number, owner) in owners.enumerated() {
                step &+= 1
                try bounds.look(at: step)
                if known.contains(Place(bucket: start, rest: number)) { continue }
                try add(Row(bucket: start, group: owner, isEmpty: true))
            }
        }
    }

    /// - Parameter more: bytes beside the groups and the names.
    private func checkMemory(_ more: Int) throws(ScanFailure) {
        let byteCount = tally.byteCount + types.byteCount + sources.byteCount + more
        guard bounds.allows(byteCount) else { throw .tooLarge }
    }

    /// Of a place that is known, half of whose table is free, and of its owner.
    private static let placeBytes = 40

    private struct Place: Hashable {
        var bucket: Int64
        var rest: Int
    }

    private func loadNames() throws(ScanFailure) {
        for (index, reading) in tally.layout.groups.enumerated()
        where reading == .type || reading == .source {
            for group in 0..<tally.count {
                if group.isMultiple(of: ScanBounds.interval) {
                    try bounds.look()
                    try checkMemory(0)
                }
                guard case .integer(let id) = tally.groupValue(group, index) else { continue }
                do throws(SQLiteError) {
                    _ = try (reading == .type ? types : sources).name(id)
                } catch { throw .sqlite(error) }
            }
        }
    }

    private func precedes(_ a: Row, _ b: Row) -> Bool {
        for order in plan.request.order {
            let result = QueryValue.compare(value(a, order.column), value(b, order.column))
            if result != 0 { return order.isDescending ? result > 0 : result < 0 }
        }
        // Keys behind the asked order break ties, so that pages neither repeat nor skip a row.
        if a.bucket != b.bucket { return a.bucket < b.bucket }
        for column in keyColumns {
            let result = QueryValue.compare(value(a, column), value(b, column))
            if result != 0 { return result < 0 }
        }
        return false
    }

    private var keyColumns: Range<Int> {
        (plan.buckets == nil ? 0 : 1)..<plan.request.keyCount
    }

    private func value(_ row: Row, _ column: Int) -> QueryValue {
        if column < keyColumns.lowerBound { return .integer(row.bucket) }
        if column < plan.request.keyCount {
            return groupValue(row, column - keyColumns.lowerBound)
        }
        let metric = column - plan.request.keyCount
        guard row.isEmpty else { return tally.metricValue(Int(row.group), metric) }
        let isZero = plan.request.fill == .zero && !plan.request.metrics[metric].isTime
        return isZero ? .integer(0) : .null
    }

    private func groupValue(_ row: Row, _ index: Int) -> QueryValue {
        let value = tally.groupValue(Int(row.group), index)
        let reading = tally.layout.groups[index]
        guard reading == .type || reading == .source, case .integer(let id) = value else {
            return value
        }
        // Looked up before, so there is nothing left that could fail.
        return (try? (reading == .type ? types : sources).name(id)) ?? .null
    }
}
