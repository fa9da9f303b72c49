import Primitives
import Query
import Storage
import Telemetry

/// Questions that a rollup covers, over a million rows and over --rows of them, and what three
/// rollups cost those who store events.
final class RollupBenchmark: Benchmark {
    static let name = "rollup"
    static let summary = "answers from rollups over 1,000,000 and --rows rows; storing with three"

    private static let rowsPerTransaction = 10_000

    private let scratch: ScratchDirectory
    private let row = SampleRow()
    private let rollups: [Rollup]
    private let samples: [RollupSample]
    /// Rows a second of each round, without and with rollups.
    private var rates: [String: FigureSummary] = [:]

    private static let without = "storing without"
    private static let withThree = "storing with three"

    init(_ bench: Bench) throws(BenchFailure) {
        scratch = bench.scratch
        let rollups = try RollupBenchmark.rollups()
        self.rollups = rollups
        var samples: [RollupSample] = []
        for rows in Set([min(SampleStore.rowCount, bench.rows), bench.rows]).sorted() {
            samples.append(try RollupSample(bench, rows, rollups))
        }
        self.samples = samples
    }

    /// By path and by country in hours, and by path in days.
    private static func rollups() throws(BenchFailure) -> [Rollup] {
        try attempt("the rollups") { () throws(QueryError) in
            let metrics = try Rollup.metrics(["count", "avg:ms", "max:ms"])
            return [
                Rollup(
                    name: "paths", types: [], interval: .hour,
                    groups: try Rollup.groups(["path"]), metrics: metrics),
                Rollup(
                    name: "countries", types: [SampleRow.pageView], interval: .hour,
                    groups: try Rollup.groups(["country", "type"]), metrics: metrics),
                Rollup(
                    name: "days", types: [], interval: .day,
                    groups: try Rollup.groups(["path", "type"]), metrics: metrics),
            ]
        }
    }

    var sides: [Side] {
        samples.flatMap(\.sides) + [storing(Self.without, []), storing(Self.withThree, rollups)]
    }

    func finish() throws(BenchFailure) -> [SideFigures] {
        guard let without = rates[Self.without]?.median, let with = rates[Self.withThree]?.median
        else { return [] }
        return [
            SideFigures(
                side: "storing with three",
                figures: [Figure("of the rate without", .ratio, with / max(without, 1))])
        ]
    }

    private func storing(_ name: String, _ rollups: [Rollup]) -> Side {
        Side(name: name) { [self] (time) throws(BenchFailure) in
            let path = try scratch.freshFolder("rollup") + "/store.db"
            let store = try SampleStore.open(path, rollups)
            defer { store.close(deadline: .after(.seconds(10))) }
            var watch = Stopwatch()
            var index = 0
            try watch.run(for: time) { () throws(BenchFailure) in
                try attempt("storing") { () throws(StorageError) in try write(&index, to: store) }
            }
            guard store.status.rows == Int64(index) else {
                throw BenchFailure("\(store.status.rows) of \(index) rows are there")
            }
            let rate = Figure("rows/s", .perSecond, Double(index) / watch.elapsed.inSeconds)
            if rates[name] == nil {
                rates[name] = FigureSummary(rate)
            } else {
                rates[name]?.add(rate.value)
            }
            return [rate]
        }
    }

    private func write(_ index: inout Int, to store: EventStore) throws(StorageError) {
        var next = index
        try store.write(position: nil) { (inserter) throws(StorageError) in
            for _ in 0..<RollupBenchmark.rowsPerTransaction {
                try row.add(next, .generated, to: inserter)
                next += 1
            }
            try row.flush(inserter)
        }
        index = next
        try store.maintain(now: .now(), isIdle: false)
    }
}
