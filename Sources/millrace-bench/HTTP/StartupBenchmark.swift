import Primitives

/// From nothing to the first answer, on an empty data directory, and what it takes to be idle.
struct StartupBenchmark: Benchmark {
    static let name = "startup"
    static let summary = "start of the process to the first 200 of /healthz; memory when idle"
    static let leastRounds = 10

    /// How long after the start memory is looked at.
    private static let idleTime = Duration.seconds(2)

    private let bench: Bench

    init(_ bench: Bench) throws(BenchFailure) { self.bench = bench }

    var sides: [Side] {
        [
            Side(name: "empty data directory") { (_) throws(BenchFailure) in
                let server = try ServerProcess(
                    bench, dataDirectory: try bench.scratch.freshFolder("data"))
                sleep(until: .after(StartupBenchmark.idleTime))
                let bytes = server.residentBytes
                try server.stop()
                return [
                    Figure("start", .nanoseconds, Double(server.startup.wholeNanoseconds)),
                    Figure("memory after 2 s", .bytes, Double(bytes)),
                ]
            }
        ]
    }
}
