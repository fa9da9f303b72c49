import Primitives

/// A question whose answer is in memory, beside the health check of the same server, which shows what
/// the HTTP front itself costs.
struct HitsBenchmark: Benchmark {
    static let name = "hits"
    static let summary = "GET /query, answered from memory, beside GET /healthz, 64 connections"

    private static let connections = 64
    private static let target = "/query?metric=count&group_by=country&from=-1h&max_stale=60"

    private let scratch: ScratchDirectory
    private let server: ServerProcess

    init(_ bench: Bench) throws(BenchFailure) {
        scratch = bench.scratch
        server = try ServerProcess(
            bench, dataDirectory: try bench.scratch.freshFolder("hits"))
        let reply = try HTTPGet(
            port: server.port, target: "/events?ack=stored", lines: SampleEvents.lines)
        guard reply.status == 200 else { throw BenchFailure("not stored: \(reply.body.text)") }
    }

    var sides: [Side] {
        [("hit", HitsBenchmark.target), ("health", "/healthz")].map { name, target in
            Side(name: name) { (time) throws(BenchFailure) in
                let wrk = Wrk(
                    scratch: scratch, port: server.port, target: target, body: .none,
                    connections: HitsBenchmark.connections)
                return try wrk.run(for: time).figures("requests")
            }
        }
    }

    func finish() throws(BenchFailure) -> [SideFigures] {
        let counts = try CacheCounts(server)
        try server.stop()
        return [SideFigures(side: "hit", figures: counts.figures)]
    }
}

/// What `/status` says of questions.
struct CacheCounts {
    private(set) var hits: Double
    /// Answered from memory as well, by answers from before the last events.
    private(set) var stale: Double
    private(set) var misses: Double

    init(_ server: ServerProcess) throws(BenchFailure) {
        let reply = try server.get("/status")
        guard let cache = (try? JSONValue.parse(reply.body.span))?["cache"],
            let hits = cache["hits"]?.number, let stale = cache["stale"]?.number,
            let misses = cache["misses"]?.number
        else { throw BenchFailure("no counts in \(reply.body.text.prefix(200))") }
        self.hits = hits
        self.stale = stale
        self.misses = misses
    }

    /// What came after `before`.
    func since(_ before: CacheCounts) -> CacheCounts {
        var rest = self
        rest.hits -= before.hits
        rest.stale -= before.stale
        rest.misses -= before.misses
        return rest
    }

    var figures: [Figure] {
        let all = max(hits + stale + misses, 1)
        return [
            Figure("hit rate", .ratio, (hits + stale) / all),
            Figure("of all stale", .ratio, stale / all),
        ]
    }
}

extension JSONValue {
    fileprivate var number: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .unsigned(let value): Double(value)
        case .double(let value): value
        default: nil
        }
    }
}
