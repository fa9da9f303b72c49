import Primitives

/// From the request by way of Redis Streams into the store, until `/query` counts it.
final class StreamsBenchmark: Benchmark {
    static let name = "streams"
    static let summary =
        "POST /events, through Redis into the store, up to 160,000 events/s offered"

    /// A request of 500 events each 25 ms on each connection, of which the reply takes about one.
    private static let pause = Duration.milliseconds(24)

    private let redis: RedisServer
    private let load: IntakeLoad
    private var rows = 0

    init(_ bench: Bench) throws(BenchFailure) {
        redis = try RedisServer(bench)
        load = try IntakeLoad(bench, options: ["--redis-url", redis.url])
    }

    var sides: [Side] {
        [
            Side(name: "8 connections") { [self] (time) throws(BenchFailure) in
                try run(for: time)
            }
        ]
    }

    /// Posts for `time` and waits until all of it is counted: both are the time it took.
    private func run(for time: Duration) throws(BenchFailure) -> [Figure] {
        let start = MonotonicTime.now()
        let accepted = try load.post(
            .ndjson(SampleEvents.lines), eventsEach: SampleEvents.batchCount, connections: 8,
            pause: StreamsBenchmark.pause, for: time, unit: "accepted")
        let (settling, stored) = try load.settle()
        let rate = Double(stored - rows) / MonotonicTime.now().since(start).inSeconds
        rows = stored
        return [Figure("events/s", .perSecond, rate)] + accepted
            + [Figure("after the last reply", .nanoseconds, Double(settling.wholeNanoseconds))]
    }

    func finish() throws(BenchFailure) -> [SideFigures] { try load.finish() }
}
