import Logs
import Masking
import Primitives
import ProcessSupport
import Storage
import Telemetry

/// Log records from the body of a request to where they can be searched: read, masked, queued, and
/// written with their words. One thread reads and one writes, as with one client of `POST /logs`.
struct LogsBenchmark: Benchmark {
    static let name = "logs"
    static let summary = "NDJSON of 500 log records a body: read and masked; stored, searchable"

    /// What a flood waits for that was refused.
    private static let pause = Duration.milliseconds(2)

    private let scratch: ScratchDirectory

    init(_ bench: Bench) throws(BenchFailure) { scratch = bench.scratch }

    var sides: [Side] {
        [
            Side(name: "searchable") { (time) throws(BenchFailure) in try store(time) },
            Side(name: "read and masked") { (time) throws(BenchFailure) in try read(time) },
        ]
    }

    private func read(_ time: Duration) throws(BenchFailure) -> [Figure] {
        let decoder = LogDecoder(LogBatchWriter(.standard), LogLimits())
        var watch = Stopwatch()
        var (records, bodies) = (0, 0)
        try watch.run(for: time) { () throws(BenchFailure) in
            records += try LogsBenchmark.batch(bodies, decoder).count
            bodies += 1
        }
        return [Figure("records/s", .perSecond, Double(records) / watch.elapsed.inSeconds)]
            + watch.latency.figures()
    }

    private func store(_ time: Duration) throws(BenchFailure) -> [Figure] {
        let directory = try scratch.freshFolder("logs")
        let store = try attempt("a new store") { () throws(StorageError) in
            try LogStore(directory: directory + "/logs", LogStoreOptions(), log: .silent)
        }
        store.start()
        let decoder = LogDecoder(LogBatchWriter(.standard), LogLimits())
        var records = 0
        var bodies = 0
        let start = MonotonicTime.now()
        while MonotonicTime.now().since(start) < time {
            let batch = try LogsBenchmark.batch(bodies, decoder)
            while !store.offer(batch) { sleep(until: .after(LogsBenchmark.pause)) }
            records += batch.count
            bodies += 1
        }
        store.stop()
        let elapsed = MonotonicTime.now().since(start)
        guard store.counters.stored.count == UInt64(records) else {
            throw BenchFailure("\(store.counters.stored.count) of \(records) records are stored")
        }
        let check = try attempt("the files") { () throws(StorageError) in
            try LogIntegrity(directory: directory + "/logs", isUnused: true)
        }
        guard check.problems.isEmpty, check.records == Int64(records) else {
            throw BenchFailure("\(check.records) of \(records) records are there")
        }
        let bytes = FileSystem.names(in: directory + "/logs").reduce(0) {
            $0 + (FileSystem.read(directory + "/logs/" + $1)?.count ?? 0)
        }
        return [
            Figure("records/s", .perSecond, Double(records) / elapsed.inSeconds),
            Figure("per record", .bytes, Double(bytes) / Double(max(records, 1))),
        ]
    }

    private static func batch(
        _ number: Int, _ decoder: LogDecoder
    ) throws(BenchFailure) -> LogBatch {
        let body = SampleLogs.bodies[number % SampleLogs.bodies.count]
        var refused = 0
        let batch = try attempt("reading") { () throws(BodyError) in
            try decoder.decode(body.span, as: .ndjson, now: WallClock.nowMilliseconds()) { _ in
                refused += 1
            }
        }
        guard refused == 0 else { throw BenchFailure("\(refused) records were refused") }
        return batch
    }
}
