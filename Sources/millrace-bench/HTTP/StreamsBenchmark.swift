import Primitives
import ProcessSupport

/// From the request into the store and into Redis Streams, until `/query` counts it and Redis has it.
final class StreamsBenchmark: Benchmark {
    static let name = "streams"
    static let summary =
        "POST /events, into the store and the streams, up to 160,000 events/s offered"

    /// A request of 500 events each 25 ms on each connection, of which the reply takes about one.
    private static let pause = Duration.milliseconds(24)

    /// One way to write entries, with a Redis and a server of its own.
    private final class Way {
        let encoding: String
        let load: IntakeLoad
        private let redis: RedisServer
        private var rows = 0

        init(_ bench: Bench, encoding: String) throws(BenchFailure) {
            self.encoding = encoding
            redis = try attempt("make bench installs Redis") { try RedisServer() }
            load = try IntakeLoad(
                bench, name: "data-\(encoding)",
                options: ["--redis-url", redis.url, "--stream-encoding", encoding])
        }

        /// Posts for `time` and waits until all of it is counted: both are the time it took.
        func run(for time: Duration) throws(BenchFailure) -> [Figure] {
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
    }

    private let ways: [Way]

    init(_ bench: Bench) throws(BenchFailure) {
        var ways: [Way] = []
        for encoding in ["entry", "frame"] {
            ways.append(try Way(bench, encoding: encoding))
        }
        self.ways = ways
    }

    var sides: [Side] {
        ways.map { way in
            Side(name: "\(way.encoding) encoding") { (time) throws(BenchFailure) in
                try way.run(for: time)
            }
        }
    }

    func finish() throws(BenchFailure) -> [SideFigures] {
        var figures: [SideFigures] = []
        for way in ways { figures += try way.load.finish(as: "stored, \(way.encoding) encoding") }
        return figures
    }
}
