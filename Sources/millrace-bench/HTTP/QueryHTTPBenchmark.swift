/// The queries of `QueryBenchmark` over HTTP, eight clients at a time.
struct QueryHTTPBenchmark: Benchmark {
    static let name = "query-http"
    static let summary = "GET /query over 1,000,000 rows, computed from the rows, 8 connections"

    private static let connections = 8

    private let scratch: ScratchDirectory
    private let server: ServerProcess

    init(_ bench: Bench) throws(BenchFailure) {
        scratch = bench.scratch
        server = try ServerProcess(
            bench, dataDirectory: try SampleStore.directory(bench))
    }

    var sides: [Side] {
        SampleQuery.all.map { query in
            Side(name: query.name) { (time) throws(BenchFailure) in
                let reply = try server.get(query.target)
                guard reply.status == 200 else {
                    throw BenchFailure("\(query.name): \(reply.status) \(reply.body.text)")
                }
                try query.check(reply.body.span)
                let wrk = Wrk(
                    scratch: scratch, port: server.port, target: query.target, body: .none,
                    connections: QueryHTTPBenchmark.connections)
                return try wrk.run(for: time).figures("queries")
            }
        }
    }

    func finish() throws(BenchFailure) -> [SideFigures] {
        let bytes = server.residentBytes
        try server.stop()
        return [
            SideFigures(
                side: "afterwards", figures: [Figure("memory", .bytes, Double(bytes))])
        ]
    }
}
