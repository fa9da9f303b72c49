import Primitives
import SQLite
import Storage

/// Which rows are stepped over for a plan, and by which way.
///
/// DESIGN. Stepping over the table in the order of its rows costs some 110 ns a row; finding a row
/// through the index on time costs several times that, but only for rows of the range. So the index is
/// asked how many rows the range has, up to an eighth of the table (30 ns each, at most 3 % of what
/// stepping over the table costs). If there are fewer and they lie close together, as rows that
/// were stored when they happened do, the table is stepped over between the first and the last of
/// them; if they are scattered, the index leads; if there are more, the whole table is stepped over.
struct ScanRange {
    enum Way: Equatable {
        /// Nothing can count.
        case nothing
        /// Rows from `first` to `last` in their order; time and type are looked at in each.
        case rows(first: Int64, last: Int64)
        /// Rows of the range and the types, as an index on time finds them.
        case index
    }

    let way: Way
    let lastSeq: Int64
    /// The numbers of the types that are asked for; nil for all.
    let types: [Int64]?
    /// Some rows between `first` and `last` lie outside of the range of time.
    let checksTime: Bool
    /// The times of the oldest and the newest event that may count; nil without any.
    let times: ClosedRange<Int64>?

    private static let share: Int64 = 8
    /// Rows between the first and the last for each that counts, up to which the index does not
    /// lead.
    private static let spread: Int64 = 4

    /// No rows at all: what is gathered comes from elsewhere.
    init(noneUpTo lastSeq: Int64) {
        (way, types, checksTime, times) = (.nothing, nil, false, nil)
        self.lastSeq = lastSeq
    }

    init(
        _ plan: QueryPlan, _ layout: ScanLayout, _ connection: Connection
    ) throws(SQLiteError) {
        let first = try connection.integer("SELECT min(seq) FROM event_rows") ?? 0
        let newest = try connection.integer("SELECT max(seq) FROM event_rows") ?? -1
        let lastSeq = plan.request.cursor?.lastSeq ?? newest
        let types =
            plan.request.types.isEmpty
            ? nil : try Generations.typeIDs(connection, plan.request.types)
        let times = try ScanRange.times(plan, connection)
        self.lastSeq = lastSeq
        self.types = types
        self.times = times.map {
            max($0.lowerBound, plan.from)...min($0.upperBound, plan.to - 1)
        }
        let last = min(newest, lastSeq)
        guard let times, first <= last, types?.isEmpty != true else {
            (way, checksTime) = (.nothing, false)
            return
        }
        let holdsAll = times.lowerBound >= plan.from && times.upperBound < plan.to
        checksTime = !holdsAll
        if layout.isCovered {
            way = .index
        } else if holdsAll, types == nil {
            way = .rows(first: first, last: last)
        } else {
            way = try ScanRange.way(plan, first: first, last: last, connection)
        }
    }

    /// The times of all events, if any is in the range.
    private static func times(
        _ plan: QueryPlan, _ connection: Connection
    ) throws(SQLiteError) -> ClosedRange<Int64>? {
        let oldest = try connection.integer("SELECT min(time) FROM event_rows")
        let newest = try connection.integer("SELECT max(time) FROM event_rows")
        guard let oldest, let newest, oldest < plan.to, newest >= plan.from else { return nil }
        return oldest...newest
    }

    private static func way(
        _ plan: QueryPlan, first: Int64, last: Int64, _ connection: Connection
    ) throws(SQLiteError) -> Way {
        let all = Way.rows(first: first, last: last)
        let most = (last - first) / share + 1
        var source = ScanSource(plan, lastSeq: last)
        let statement = try connection.cached(
            "SELECT count(*), min(s), max(s) FROM (SELECT e.seq AS s FROM \(source.tables)"
                + " WHERE \(source.filter) LIMIT \(source.bind(.integer(most + 1))))")
        defer { statement.reset() }
        statement.bind(source.bindings)
        guard try statement.step() else { return all }
        let count = statement.integer(0)
        if count == 0 { return .nothing }
        if count > most { return all }
        let (low, high) = (statement.integer(1), statement.integer(2))
        return high - low < count * spread ? .rows(first: low, last: high) : .index
    }

    /// Rows are stepped over one after the other, so many at the most; 0 where an index leads.
    var rowCount: Int64 {
        guard case .rows(let first, let last) = way else { return 0 }
        return last - first + 1
    }

    /// Up to `count` parts of the rows, of equal numbers.
    func parts(_ count: Int) -> [Way] {
        guard case .rows(let first, let last) = way, count > 1 else { return [way] }
        let size = max(1, (last - first) / Int64(count) + 1)
        return stride(from: first, through: last, by: Int(size)).map {
            .rows(first: $0, last: min($0 + size - 1, last))
        }
    }
}

/// The tables and the filter that lead to the rows of a plan by the index on time, with bindings.
struct ScanSource {
    private(set) var bindings: [SQLValue] = []
    private(set) var tables = ""
    private(set) var filter = ""

    init(_ plan: QueryPlan, from: Int64? = nil, to: Int64? = nil, lastSeq: Int64) {
        let lower = bind(.integer(from ?? plan.from))
        let upper = bind(.integer(to ?? plan.to))
        let types = plan.request.types.map { bind(.text($0)) }
        let source = QueryCompiler.eventSource(lower: lower, upper: upper, types: types)
        tables = source.tables
        filter = source.filter + " AND e.seq <= \(bind(.integer(lastSeq)))"
    }

    mutating func bind(_ value: SQLValue) -> String {
        bindings.append(value)
        return "?\(bindings.count)"
    }
}
