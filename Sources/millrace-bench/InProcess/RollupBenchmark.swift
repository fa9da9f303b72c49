import Primitives
import Query
import Storage
import Telemetry

/// Questions that a rollup covers, over all rows and over a week, and what three rollups cost those
/// who store events.
final class RollupBenchmark: Benchmark {
    static let name = "rollup"
    static let summary = "answers from rollups over --rows rows, and storing with three of them"

    private static let rowsPerTransaction = 10_000

    private let store: EventStore
    private let service: QueryService
    private let scratch: ScratchDirectory
    private let rows: Int
    private let row = SampleRow()
    private let rollups: [Rollup]

    init(_ bench: Bench) throws(BenchFailure) {
        scratch = bench.scratch
        rows = bench.rows
        let directory = try SampleStore.directory(in: bench.scratch, rows: bench.rows)
        rollups = try RollupBenchmark.rollups()
        store = try RollupBenchmark.open(directory + "/store.db", rollups)
        service = QueryService(store.readers, rollups: rollups)
        try fill()
    }

    deinit { store.close(deadline: .after(.seconds(10))) }

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

    private static func open(
        _ path: String, _ rollups: [Rollup]
    ) throws(BenchFailure) -> EventStore {
        try attempt("a store") { () throws(StorageError) in
            var options = EventStoreOptions()
            let set = RollupSet(rollups)
            if !rollups.isEmpty { options.derived = set }
            let store = try EventStore(
                path: path, now: WallClock.nowMilliseconds(), log: .silent, options: options)
            for chore in set.chores { store.add(chore) }
            return store
        }
    }

    /// Has the rollups filled from the rows that are there.
    private func fill() throws(BenchFailure) {
        try attempt("filling") { () throws(StorageError) in
            repeat { try store.maintain(now: .now(), isIdle: false) } while store.hasUrgentChore
        }
    }

    var sides: [Side] {
        let end = SampleRow.time(rows)
        let hour = end - end % 3_600_000
        let week: Int64 = 7 * 86_400_000
        return [
            question("all days", "2000-01-01", nil),
            question("a week", Timestamp.format(hour - week), Timestamp.format(hour)),
            question("a ragged week", Timestamp.format(end - week), Timestamp.format(end)),
            storing("without", []), storing("with three", rollups),
        ]
    }

    private func question(_ name: String, _ from: String, _ to: String?) -> Side {
        Side(name: name) { [self] (time) throws(BenchFailure) in
            var given = [
                Parameter(name: "metric", elements: ["count", "avg:ms"]),
                Parameter(name: "group_by", value: "path"), Parameter(name: "from", value: from),
            ]
            if let to { given.append(Parameter(name: "to", value: to)) }
            let fromEvents = try answer(given + [Parameter(name: "rollup", value: "off")])
            guard try answer(given).body.text == fromEvents.body.text else {
                throw BenchFailure("rollup and events differ")
            }
            var watch = Stopwatch()
            try watch.run(for: time) { () throws(BenchFailure) in _ = try answer(given) }
            return [Figure("answers/s", .perSecond, watch.perSecond())] + watch.latency.figures()
        }
    }

    private func answer(_ parameters: [Parameter]) throws(BenchFailure) -> QueryAnswer {
        try attempt("the question") { () throws(QueryError) in
            try service.answer(
                try QueryRequest.parse(parameters), deadline: .after(.seconds(600)))
        }
    }

    private func storing(_ name: String, _ rollups: [Rollup]) -> Side {
        Side(name: "storing " + name) { [self] (time) throws(BenchFailure) in
            let path = try scratch.freshFolder("rollup") + "/store.db"
            let store = try RollupBenchmark.open(path, rollups)
            defer { store.close(deadline: .after(.seconds(10))) }
            var watch = Stopwatch()
            var index = 0
            try watch.run(for: time) { () throws(BenchFailure) in
                try attempt("storing") { () throws(StorageError) in try write(&index, to: store) }
            }
            guard store.status.rows == Int64(index) else {
                throw BenchFailure("\(store.status.rows) of \(index) rows are there")
            }
            return [
                Figure("rows/s", .perSecond, Double(index) / watch.elapsed.inSeconds)
            ]
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
