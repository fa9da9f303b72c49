import Primitives
import SQLite

/// Steps over one part of a plan's rows and gathers them. Belongs to its connection's thread.
final class ScanPart: @unchecked Sendable {  // One thread at a time: a helper's until it is joined.
    private let plan: QueryPlan
    private let range: ScanRange
    private let connection: Connection
    private(set) var bounds: ScanBounds
    let tally: ScanTally
    let types: NameTable
    let sources: NameTable

    init(
        _ plan: QueryPlan, _ layout: ScanLayout, _ range: ScanRange, _ connection: Connection,
        _ bounds: ScanBounds
    ) {
        self.plan = plan
        self.range = range
        self.connection = connection
        self.bounds = bounds
        tally = ScanTally(layout, hasBuckets: plan.buckets != nil)
        types = NameTable("event_types", connection)
        sources = NameTable("event_sources", connection)
    }

    /// - Throws: `tooLarge`, what SQLite says, also that the deadline has passed.
    func run(_ way: ScanRange.Way) throws(ScanFailure) {
        switch way {
        case .nothing: return
        case .index where tally.layout.onlyCounts(plan): try countRows()
        case .index, .rows: try stepOver(way)
        }
        if bounds.isExceeded { throw .tooLarge }
    }

    /// Groups, what is gathered of them, and names.
    var byteCount: Int { tally.byteCount + types.byteCount + sources.byteCount }

    /// Adds the groups of another part of the rows.
    /// - Parameter bounds: of what has come together; the wider ones hold from now on.
    /// - Throws: `tooLarge`, `late`.
    func absorb(_ other: ScanTally, within bounds: ScanBounds) throws(ScanFailure) {
        if bounds.limitBytes > self.bounds.limitBytes { self.bounds = bounds }
        let bounds = self.bounds
        try tally.absorb(other, bounds)
        guard bounds.allows(byteCount) else { throw .tooLarge }
    }

    private func stepOver(_ way: ScanRange.Way) throws(ScanFailure) {
        do throws(SQLiteError) { try step(way) } catch {
            throw error.isInterrupted && bounds.isExceeded ? .tooLarge : .sqlite(error)
        }
    }

    private func step(_ way: ScanRange.Way) throws(SQLiteError) {
        let isDirect = if case .rows = way { true } else { false }
        let checksTime = isDirect && range.checksTime
        let wanted = isDirect ? range.types : nil
        let columns = columns(way)
        let (sql, bindings) = statement(way)
        let statement = try connection.cached(sql)
        // An unfinished statement would keep its snapshot and hold up the checkpoints.
        defer { statement.reset() }
        statement.bind(bindings)
        let row = ScanRow(tally.layout, columns, statement, types: types, sources: sources)
        let conditions = tally.layout.conditions.map { ScanCondition($0.reading, $0.condition) }
        var finder = plan.buckets.map { BucketFinder($0, range.times) }
        let (from, to) = (plan.from, plan.to)
        var sinceCheck = 0
        while try statement.step() {
            if checksTime {
                let time = row.time
                guard time >= from, time < to else { continue }
            }
            if let wanted, !wanted.contains(row.typeID) { continue }
            // Before the conditions, which may look up a name for each row.
            sinceCheck += 1
            if sinceCheck == ScanBounds.interval {
                sinceCheck = 0
                guard bounds.allows(byteCount) else { return }
            }
            row.begin()
            guard try holds(conditions, row) else { continue }
            row.count()
            try tally.add(row, bucket: finder?.start(of: row.time) ?? 0)
        }
    }

    private func holds(
        _ conditions: [ScanCondition], _ row: ScanRow
    ) throws(SQLiteError) -> Bool {
        for condition in conditions where !condition.holds(try row.value(condition.reading)) {
            return false
        }
        return true
    }

    private func columns(_ way: ScanRange.Way) -> ScanColumns {
        let isDirect = if case .rows = way { true } else { false }
        return tally.layout.columns(
            checksTime: isDirect && range.checksTime || plan.buckets != nil,
            checksType: isDirect && range.types != nil)
    }

    /// The SQL that steps over the rows of `way`.
    func statement(_ way: ScanRange.Way) -> (sql: String, bindings: [SQLValue]) {
        let columns = columns(way).sql
        guard case .rows(let first, let last) = way else {
            let source = ScanSource(plan, lastSeq: range.lastSeq)
            return (
                "SELECT \(columns) FROM \(source.tables) WHERE \(source.filter)", source.bindings
            )
        }
        let sql = "SELECT \(columns) FROM event_rows AS e NOT INDEXED WHERE e.seq BETWEEN ?1 AND ?2"
        return (sql, [.integer(first), .integer(last)])
    }

    /// Counts alone: SQLite counts the entries of its index, without a row for each.
    private func countRows() throws(ScanFailure) {
        guard let times = range.times else { return }
        let starts = try? plan.buckets?.starts(from: times.lowerBound, to: times.upperBound + 1)
        guard plan.buckets != nil else {
            return tally.add(rows: try count(from: plan.from, to: plan.to), bucket: 0)
        }
        guard let starts else { return try stepOver(.index) }
        for (index, start) in starts.enumerated() {
            let end = index + 1 < starts.count ? starts[index + 1] : plan.to
            try bounds.look(at: index)
            let rows = try count(from: max(start, plan.from), to: min(end, plan.to))
            if rows > 0 { tally.add(rows: rows, bucket: start) }
        }
    }

    private func count(from: Int64, to: Int64) throws(ScanFailure) -> Int64 {
        let source = ScanSource(plan, from: from, to: to, lastSeq: range.lastSeq)
        do throws(SQLiteError) {
            let statement = try connection.cached(
                "SELECT count(*) FROM \(source.tables) WHERE \(source.filter)")
            defer { statement.reset() }
            statement.bind(source.bindings)
            return try statement.step() ? statement.integer(0) : 0
        } catch { throw .sqlite(error) }
    }
}
