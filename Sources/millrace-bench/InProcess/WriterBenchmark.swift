import Primitives
import Storage
import Telemetry

/// Rows into a new store, as the event writer puts them: transactions of ten thousand, checkpoints
/// when they are due, and one at the end, all within the time that counts.
struct WriterBenchmark: Benchmark {
    static let name = "writer"
    static let summary = "rows into a new store, with generated ids and with the client's"

    private static let rowsPerTransaction = 10_000

    private let scratch: ScratchDirectory
    private let row = SampleRow()

    init(_ bench: Bench) throws(BenchFailure) { scratch = bench.scratch }

    var sides: [Side] {
        [
            Side(name: "generated ids") { (time) throws(BenchFailure) in
                try measure(.generated, time)
            },
            Side(name: "client ids") { (time) throws(BenchFailure) in
                try measure(.client, time)
            },
        ]
    }

    private func measure(
        _ identity: SampleRow.Identity, _ time: Duration
    ) throws(BenchFailure) -> [Figure] {
        let path = try scratch.freshFolder("writer") + "/store.db"
        let store = try attempt("a new store") { () throws(StorageError) in
            try EventStore(path: path, now: WallClock.nowMilliseconds(), log: .silent)
        }
        var watch = Stopwatch()
        var index = 0
        try watch.run(for: time) { () throws(BenchFailure) in
            try attempt("storing") { () throws(StorageError) in
                try write(&index, identity, to: store)
            }
        }
        let start = MonotonicTime.now()
        _ = try attempt("a checkpoint") { () throws(StorageError) in try store.checkpoint() }
        let elapsed = watch.elapsed + MonotonicTime.now().since(start)
        let status = store.status
        store.close(deadline: .after(.seconds(10)))
        guard status.rows == Int64(index) else {
            throw BenchFailure("\(status.rows) of \(index) rows are there")
        }
        return [Figure("rows/s", .perSecond, Double(index) / elapsed.inSeconds)]
            + watch.latency.figures()
            + [Figure("per row", .bytes, Double(status.fileBytes) / Double(max(index, 1)))]
    }

    private func write(
        _ index: inout Int, _ identity: SampleRow.Identity, to store: EventStore
    ) throws(StorageError) {
        var next = index
        try store.write(position: nil) { (inserter) throws(StorageError) in
            for _ in 0..<WriterBenchmark.rowsPerTransaction {
                try row.add(next, identity, to: inserter)
                next += 1
            }
            try row.flush(inserter)
        }
        index = next
        try store.maintain(now: .now(), isIdle: false)
    }
}
