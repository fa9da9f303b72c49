import Primitives

/// From the request by way of Redis Streams into the store, until `/query` counts it.
struct StreamsBenchmark: Benchmark {
    static let name = "streams"
    static let summary =
        "POST /events, through Redis into the store, up to 160,000 events/s offered"

    private static let connections = 8
    /// A request of 500 events each 25 ms on each connection, of which the reply takes about one.
    private static let pause = Duration.milliseconds(24)

    private let bench: Bench
    private let load: StreamsLoad

    init(_ bench: Bench) throws(BenchFailure) {
        self.bench = bench
        load = try StreamsLoad(bench)
    }

    var sides: [Side] {
        [
            Side(name: "8 connections") { (time) throws(BenchFailure) in
                let wrk = Wrk(
                    scratch: bench.scratch, port: load.server.port, target: "/events",
                    body: .ndjson(SampleEvents.lines), connections: StreamsBenchmark.connections,
                    pause: StreamsBenchmark.pause)
                return try load.run(wrk, for: time)
            }
        ]
    }

    func finish() throws(BenchFailure) -> [SideFigures] { try load.finish() }
}

/// A server with a Redis, and the account of what it took.
final class StreamsLoad {
    private let redis: RedisServer
    let server: ServerProcess
    private var ledger = EventLedger()
    private var rows = 0
    private var residentBytes = 0

    init(_ bench: Bench) throws(BenchFailure) {
        redis = try RedisServer(bench)
        server = try ServerProcess(
            bench, dataDirectory: try bench.scratch.freshFolder("data"),
            options: ["--redis-url", redis.url])
        sleep(until: .after(.milliseconds(500)))
    }

    /// Posts for `time` and waits until all of it is counted: both are the time it took.
    func run(_ wrk: Wrk, for time: Duration) throws(BenchFailure) -> [Figure] {
        let start = MonotonicTime.now()
        let outcome = try wrk.run(for: time)
        ledger.add(
            requests: outcome.requests, connections: wrk.connections,
            eventsEach: SampleEvents.batchCount)
        let (settling, stored) = try ledger.settle(server)
        let seconds = MonotonicTime.now().since(start).inSeconds
        let events = stored - rows
        rows = stored
        residentBytes = max(residentBytes, server.residentBytes)
        return [Figure("events/s", .perSecond, Double(events) / seconds)]
            + outcome.figures("accepted", each: SampleEvents.batchCount)
            + [Figure("after the last reply", .nanoseconds, Double(settling.wholeNanoseconds))]
    }

    func finish() throws(BenchFailure) -> [SideFigures] {
        try server.stop()
        return [
            SideFigures(
                side: "all stored",
                figures: [
                    Figure("rows", .number, Double(rows)),
                    Figure("memory after", .bytes, Double(residentBytes)),
                ])
        ]
    }
}
