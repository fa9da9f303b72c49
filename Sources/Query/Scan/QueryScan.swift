import Primitives
import SQLite
import Storage

/// Answers a plan by stepping over the rows of SQLite and doing the rest itself.
///
/// DESIGN. SQLite's virtual machine is slow at JSON and at groups and quick at rows, so it only steps:
/// the asked fields are found in the text of each row by `FieldFinder`, conditions first, and the
/// rows are gathered in a hash table of our own. A large scan is split over two or more connections
/// if others are idle; they see the same events (`SnapshotMark`), and their tables are added up. Where
/// the groups do not fit in memory, `SQLScan` answers, which sorts on disk.
struct QueryScan {
    var plan: QueryPlan
    let connection: Connection
    /// Where helpers borrow their connections; nil scans alone.
    let readers: ReaderPool?
    let deadline: Deadline
    let isCancelled: (@Sendable () -> Bool)?
    /// Where rows of single buckets are kept; nil keeps none.
    var reuse: BucketReuse?
    /// Groups of one part may take this much; an answer's page has 16 MiB at most.
    var memoryLimitBytes = QueryScan.defaultMemoryLimitBytes
    /// Rows from which a helper pays: its thread costs 50 µs, and each row 150 ns.
    var rowsPerPart: Int64 = 200_000
    /// Connections, and so threads, that share a scan at the most.
    var parts = min(Processors.available, 4)

    /// As `ScanLayout.isSketched`.
    var isSketched = false

    static let defaultMemoryLimitBytes = 128 << 20

    /// Writes the page that is asked for.
    /// - Returns: whether there are more rows.
    func run(_ encoder: inout RowEncoder) throws(ScanFailure) -> Bool {
        if let reuse, let rows = try BucketScan(scan: self, reuse: reuse).run() {
            return try rows.write(to: &encoder)
        }
        return try ScanRows(plan, try gather()).write(to: &encoder)
    }

    /// Gathers the plan's rows.
    /// - Returns: the part whose tally has all of them.
    func gather() throws(ScanFailure) -> ScanPart {
        var layout = ScanLayout(plan)
        layout.isSketched = isSketched
        let bounds = bounds()
        let range: ScanRange
        do throws(SQLiteError) { range = try ScanRange(plan, layout, connection) } catch {
            throw .sqlite(error)
        }
        let part = ScanPart(plan, layout, range, connection, bounds)
        let wanted = max(1, min(Int64(parts), range.rowCount / rowsPerPart))
        try scan(part, range.parts(Int(wanted)), helpers: []) { [layout] in
            ScanPart(plan, layout, range, $0, bounds)
        }
        try bounds.look()
        return part
    }

    /// New bounds: what one piece of work has exceeded says nothing of another.
    /// - Parameter parts: whose groups come together.
    func bounds(parts: Int = 1) -> ScanBounds {
        let (limit, isHuge) = memoryLimitBytes.multipliedReportingOverflow(by: parts)
        return ScanBounds(
            limitBytes: isHuge ? .max : limit, deadline: deadline, isCancelled: isCancelled)
    }

    /// Runs all of `ways`: as many as there are helpers on their threads, and the others here.
    private func scan(
        _ part: ScanPart, _ ways: [ScanRange.Way], helpers: [Connection],
        make: (Connection) -> ScanPart
    ) throws(ScanFailure) {
        if helpers.count + 1 < ways.count, let readers {
            let mark: SnapshotMark
            do throws(SQLiteError) { mark = try SnapshotMark(connection) } catch {
                throw .sqlite(error)
            }
            do throws(HelperFailure) {
                // Nobody is waited for: what is idle helps.
                return try readers.withReader(
                    until: .after(.zero), isCancelled: isCancelled, isHelper: true,
                    mapping: { _ in .absent }
                ) { (helper) throws(HelperFailure) in
                    helper.limit(until: deadline, isCancelled: isCancelled)
                    guard (try? SnapshotMark(helper)) == mark else { throw .absent }
                    do throws(ScanFailure) {
                        try scan(part, ways, helpers: helpers + [helper], make: make)
                    } catch {
                        throw .failed(error)
                    }
                }
            } catch {
                if case .failed(let failure) = error { throw failure }
            }
        }
        // Where there are parts the scan is long enough for its pages to be mapped.
        let mapped = ways.count > 1 ? [connection] + helpers : []
        defer { for connection in mapped { try? connection.mapsFile(false) } }
        do throws(SQLiteError) {
            for connection in mapped { try connection.mapsFile(true) }
        } catch {
            throw .sqlite(error)
        }
        try run(part, ways, helpers.map(make))
    }

    private enum HelperFailure: Error {
        case absent
        case failed(ScanFailure)
    }

    private func run(
        _ part: ScanPart, _ ways: [ScanRange.Way], _ helpers: [ScanPart]
    ) throws(ScanFailure) {
        let failures = Locked<[ScanFailure]>([])
        let threads = zip(helpers, ways).map { helper, way in
            Thread(name: "query-helper") {
                do throws(ScanFailure) { try helper.run(way) } catch {
                    failures.withLock { $0.append(error) }
                }
            }
        }
        var failure: ScanFailure?
        do throws(ScanFailure) {
            for way in ways.dropFirst(helpers.count) { try part.run(way) }
        } catch { failure = error }
        for thread in threads { thread.join() }
        if let failure = failure ?? failures.withLock({ $0.first }) { throw failure }
        let whole = bounds(parts: helpers.count + 1)
        for helper in helpers { try part.absorb(helper.tally, within: whole) }
    }
}
