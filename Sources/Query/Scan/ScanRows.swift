import Primitives
import SQLite

/// The rows of an answer out of the groups of a scan: filled, ordered, cut.
final class ScanRows {
    /// A group, or an empty bucket of the groups that another group has.
    private struct Row {
        var bucket: Int64
        var group: Int32
        var isEmpty: Bool
    }

    private let plan: QueryPlan
    private let tally: ScanTally
    private let types: NameTable
    private let sources: NameTable
    private var rows: [Row] = []

    /// Rows, filled ones too, that are put in order in memory: 16 bytes each.
    static let limit = 4_000_000

    convenience init(_ plan: QueryPlan, _ part: ScanPart) {
        self.init(plan, part.tally, types: part.types, sources: part.sources)
    }

    init(_ plan: QueryPlan, _ tally: ScanTally, types: NameTable, sources: NameTable) {
        self.plan = plan
        self.tally = tally
        self.types = types
        self.sources = sources
    }

    /// Writes the page that is asked for.
    /// - Returns: whether there are more rows.
    func write(to encoder: inout RowEncoder) throws(ScanFailure) -> Bool {
        for accumulator in tally.accumulators { accumulator.finish() }
        rows = (0..<tally.count).map {
            Row(bucket: tally.bucket($0), group: Int32($0), isEmpty: false)
        }
        try fill()
        do throws(SQLiteError) {
            // The comparison of names may have to look them up, which may fail.
            try loadNames()
        } catch {
            throw .sqlite(error)
        }
        rows.sort { precedes($0, $1) }
        for row in rows.dropFirst(plan.offset) {
            if encoder.rowCount == plan.request.limit || encoder.isFull { return true }
            for column in plan.request.columns.indices { encoder.append(value(row, column)) }
        }
        return false
    }

    /// Adds a row for each bucket without events, for every group that has a row in any bucket.
    private func fill() throws(ScanFailure) {
        guard plan.request.fill != nil, let buckets = plan.buckets else { return }
        let rests = KeyTable()
        var owners: [Int32] = []
        var known = Set<Place>()
        for row in rows {
            let number = rests.number(of: tally.rest(Int(row.group)))
            if number == owners.count {
                owners.append(row.group)
            } else if tally.realMask(Int(row.group)) < tally.realMask(Int(owners[number])) {
                // Of equal numbers the integer is shown, in whatever order the rows came.
                owners[number] = row.group
            }
            known.insert(Place(bucket: row.bucket, rest: number))
        }
        // Without groups there is one, and it is there without rows as well.
        if plan.request.groups.isEmpty, owners.isEmpty { owners = [-1] }
        guard let starts = try? buckets.starts(from: plan.from, to: plan.filledEnd) else { return }
        guard starts.count * owners.count <= ScanRows.limit else { throw .tooLarge }
        for start in starts {
            for (number, owner) in owners.enumerated()
            where !known.contains(Place(bucket: start, rest: number)) {
                rows.append(Row(bucket: start, group: owner, isEmpty: true))
            }
        }
    }

    private struct Place: Hashable {
        var bucket: Int64
        var rest: Int
    }

    private func loadNames() throws(SQLiteError) {
        for (index, reading) in tally.layout.groups.enumerated()
        where reading == .type || reading == .source {
            for group in 0..<tally.count {
                guard case .integer(let id) = tally.groupValue(group, index) else { continue }
                _ = try (reading == .type ? types : sources).name(id)
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
