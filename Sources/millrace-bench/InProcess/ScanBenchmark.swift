import Primitives
import Query
import Storage
import Telemetry

/// One question over all rows that reads two fields of each: by the scan on every idle connection, by
/// the scan on one, by SQL, and by DuckDB. And the same over 1 % of the time.
final class ScanBenchmark: Benchmark {
    static let name = "scan"
    static let summary = "avg(ms) and count by path over --rows rows: by scan, SQL and DuckDB"

    private let store: EventStore
    private let whole: QueryPlan
    private let part: QueryPlan
    private let rows: Int
    private let peer: DuckDBPeer?
    /// Milliseconds of each round, by the side.
    private var taken: [String: FigureSummary] = [:]

    private static let oneThread = "scan, one thread"
    private static let allThreads = "scan"
    private static let peerName = "DuckDB, one thread"
    private static let percent = 100

    init(_ bench: Bench) throws(BenchFailure) {
        rows = bench.rows
        store = try SampleStore.open(
            SampleStore.directory(bench, rows: bench.rows) + "/store.db")
        whole = try ScanBenchmark.plan(0..<bench.rows)
        let middle = bench.rows / 2
        part = try ScanBenchmark.plan(middle..<middle + bench.rows / ScanBenchmark.percent)
        peer = try DuckDBPeer(bench)
    }

    deinit { store.close(deadline: .after(.seconds(10))) }

    /// The question over the time of some rows.
    private static func plan(_ rows: Range<Int>) throws(BenchFailure) -> QueryPlan {
        try attempt("the question") { () throws(QueryError) in
            try QueryPlan(
                QueryRequest.parse([
                    Parameter(name: "metric", elements: ["avg:ms", "count"]),
                    Parameter(name: "group_by", value: "path"),
                    Parameter(
                        name: "from", value: Timestamp.format(SampleRow.time(rows.lowerBound))),
                    Parameter(
                        name: "to", value: Timestamp.format(SampleRow.time(rows.upperBound))),
                ]), now: WallClock.nowMilliseconds())
        }
    }

    var sides: [Side] {
        var sides = [
            side(Self.allThreads, .scan, whole, rows, readers: store.readers),
            side(Self.oneThread, .scan, whole, rows, readers: nil),
        ]
        if let peer { sides.append(side(peer)) }
        sides.append(
            side("scan, 1 % of the time", .scan, part, rows / Self.percent, readers: store.readers))
        sides.append(side("SQL", .sql, whole, rows, readers: nil))
        return sides
    }

    func finish() throws(BenchFailure) -> [SideFigures] {
        guard let theirs = taken[Self.peerName]?.median, let alone = taken[Self.oneThread]?.median,
            let together = taken[Self.allThreads]?.median
        else { return [] }
        return [
            SideFigures(
                side: "beside DuckDB",
                figures: [
                    Figure("of its rate, both on one thread", .ratio, theirs / alone),
                    Figure("of its rate, on all threads", .ratio, theirs / together),
                ])
        ]
    }

    private func side(
        _ name: String, _ backend: QueryBackend, _ plan: QueryPlan, _ count: Int,
        readers: ReaderPool?
    ) -> Side {
        Side(name: name) { [self] (time) throws(BenchFailure) in
            var watch = Stopwatch()
            try watch.run(for: time) { () throws(BenchFailure) in
                try answer(backend, plan, count, readers)
            }
            return figures(name, watch.perSecond(Double(count)), Double(count), watch.latency)
        }
    }

    private func side(_ peer: DuckDBPeer) -> Side {
        Side(name: Self.peerName) { [self] (time) throws(BenchFailure) in
            var latency = LatencyRecorder()
            let each = try peer.ask(for: time)
            for nanoseconds in each { latency.record(nanoseconds) }
            let seconds = Double(each.reduce(0, +)) / 1e9
            return figures(
                Self.peerName, Double(each.count * rows) / seconds, Double(rows), latency)
        }
    }

    private func figures(
        _ side: String, _ rate: Double, _ rows: Double, _ latency: LatencyRecorder
    ) -> [Figure] {
        let mean = Figure("mean", .nanoseconds, rows / rate * 1e9)
        if taken[side] == nil {
            taken[side] = FigureSummary(mean)
        } else {
            taken[side]?.add(mean.value)
        }
        return [Figure("rows/s", .perSecond, rate)] + latency.figures()
    }

    private func answer(
        _ backend: QueryBackend, _ plan: QueryPlan, _ count: Int, _ readers: ReaderPool?
    ) throws(BenchFailure) {
        let deadline = Deadline.after(.seconds(600))
        let answer = try store.readers.withReader(
            until: deadline, mapping: { BenchFailure("\($0)") }
        ) { connection throws(BenchFailure) in
            try attempt("the question") { () throws(QueryError) in
                try backend.run(plan, on: connection, readers: readers, deadline: deadline)
            }
        }
        try SampleQuery.check("by path", answer.body.span, count: count)
    }
}
