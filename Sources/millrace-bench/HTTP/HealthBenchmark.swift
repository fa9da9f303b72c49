/// The cheapest request there is: what HTTP itself costs.
struct HealthBenchmark: Benchmark {
    static let name = "health"
    static let summary = "GET /healthz, 64 and 512 connections"

    private let scratch: ScratchDirectory
    private let server: ServerProcess

    init(_ bench: Bench) throws(BenchFailure) {
        scratch = bench.scratch
        server = try ServerProcess(bench, dataDirectory: try bench.scratch.freshFolder("data"))
    }

    var sides: [Side] {
        [64, 512].map { connections in
            Side(name: "\(connections) connections") { (time) throws(BenchFailure) in
                let wrk = Wrk(
                    scratch: scratch, port: server.port, target: "/healthz", body: .none,
                    connections: connections)
                return try wrk.run(for: time).figures("requests")
            }
        }
    }

    func finish() throws(BenchFailure) -> [SideFigures] {
        try server.stop()
        return []
    }
}
