import Primitives
import Query
import Storage
import Telemetry

/// One question over all rows that reads two fields of each: by the scan on every idle connection, by
/// the scan on one, and by SQL.
final class ScanBenchmark: Benchmark {
    static let name = "scan"
    static let summary = "avg(ms) and count by path over all rows (--rows), by scan and by SQL"

    private let store: EventStore
    private let plan: QueryPlan
    private let rows: Int

    init(_ bench: Bench) throws(BenchFailure) {
        let directory = try SampleStore.directory(in: bench.scratch, rows: bench.rows)
        rows = bench.rows
        store = try attempt("the sample store") { () throws(StorageError) in
            try EventStore(
                path: directory + "/store.db", now: WallClock.nowMilliseconds(), log: .silent)
        }
        plan = try attempt("the question") { () throws(QueryError) in
            try QueryPlan(
                QueryRequest.parse([
                    Parameter(name: "metric", elements: ["count", "avg:ms"]),
                    Parameter(name: "group_by", value: "path"),
                    Parameter(name: "from", value: "2000-01-01"),
                ]), now: WallClock.nowMilliseconds())
        }
    }

    deinit { store.close(deadline: .after(.seconds(10))) }

    var sides: [Side] {
        [
            side("scan", .scan, readers: store.readers),
            side("scan, one thread", .scan, readers: nil),
            side("SQL", .sql, readers: nil),
        ]
    }

    private func side(_ name: String, _ backend: QueryBackend, readers: ReaderPool?) -> Side {
        Side(name: name) { [self] (time) throws(BenchFailure) in
            var watch = Stopwatch()
            try watch.run(for: time) { () throws(BenchFailure) in try answer(backend, readers) }
            return [Figure("rows/s", .perSecond, watch.perSecond(Double(rows)))]
                + watch.latency.figures()
        }
    }

    private func answer(_ backend: QueryBackend, _ readers: ReaderPool?) throws(BenchFailure) {
        let deadline = Deadline.after(.seconds(600))
        let answer = try store.readers.withReader(
            until: deadline, mapping: { BenchFailure("\($0)") }
        ) { connection throws(BenchFailure) in
            try attempt("the question") { () throws(QueryError) in
                try backend.run(plan, on: connection, readers: readers, deadline: deadline)
            }
        }
        guard answer.rowCount == min(100, rows) else {
            throw BenchFailure("\(answer.rowCount) paths instead of 100")
        }
    }
}
