import Primitives

/// What a flood of logs from one client does to the requests of others: the latency of `POST /events` and
/// of a cached `GET /query`, asked at a steady rate, without a flood and with one.
final class LogsFloodBenchmark: Benchmark {
    static let name = "logs-flood"
    static let summary =
        "p99 of POST /events and a cached GET /query, with a flood of logs and without"

    /// Of each of the two kinds: far below what the server can do, so that waiting is the flood's doing.
    private static let requestsPerSecond = 400
    private static let connections = 8
    private static let floodConnections = 4
    private static let question = "/query?metric=count&group_by=country&from=-1h&max_stale=60"

    private let server: ServerProcess
    private let floods: [(name: String, requests: [Bytes], recordsEach: Int)]
    private let events: OpenLoop
    private let queries: OpenLoop
    /// p99 in nanoseconds of each round, by the side's name.
    private var rounds: [String: (events: [Double], queries: [Double])] = [:]

    init(_ bench: Bench) throws(BenchFailure) {
        server = try ServerProcess(bench, dataDirectory: try bench.scratch.freshFolder("flood"))
        try server.awaitReady()
        let reply = try HTTPGet(
            port: server.port, target: "/events?ack=stored", lines: SampleEvents.lines)
        guard reply.status == 200 else { throw BenchFailure("not stored: \(reply.body.text)") }
        let large = SampleLogs.bodies.map { KeptConnection.post("/logs", lines: $0.span) }
        let small = SampleLogs.bodies[0].span.split(separator: UInt8(ascii: "\n")).map { line in
            KeptConnection.post("/logs", lines: UnsafeRawBufferPointer(rebasing: line))
        }
        floods = [
            ("500 a body", large, SampleLogs.linesPerBody), ("1 a body", small, 1),
        ]
        let event = Bytes(SampleEvents.single + "\n")
        let port = server.port
        func load(_ request: Bytes, _ status: Int) -> OpenLoop {
            OpenLoop(
                port: port, request: request, status: status,
                requestsPerSecond: LogsFloodBenchmark.requestsPerSecond,
                connections: LogsFloodBenchmark.connections)
        }
        events = load(KeptConnection.post("/events", lines: event.span), 202)
        queries = load(KeptConnection.get(LogsFloodBenchmark.question), 200)
        withExtendedLifetime(event) {}
    }

    var sides: [Side] {
        [
            Side(name: "no flood") { [self] (time) throws(BenchFailure) in
                try measure("no flood", time)
            }
        ]
            + floods.map { flood in
                Side(name: flood.name) { [self] (time) throws(BenchFailure) in
                    let flooding = LogFlood(
                        port: server.port, flood.requests, recordsEach: flood.recordsEach,
                        connections: LogsFloodBenchmark.floodConnections)
                    let start = MonotonicTime.now()
                    let figures = try measure(flood.name, time)
                    let account = try flooding.stop()
                    let elapsed = MonotonicTime.now().since(start).inSeconds
                    try settle()
                    return figures + [
                        Figure("logs/s", .perSecond, Double(account.accepted) / elapsed),
                        Figure("refused/s", .perSecond, Double(account.refusedRequests) / elapsed),
                    ]
                }
            }
    }

    private func measure(_ side: String, _ time: Duration) throws(BenchFailure) -> [Figure] {
        let asked = Locked<Result<LatencyRecorder, BenchFailure>?>(nil)
        let thread = Thread(name: "bench-queries") { [queries] in
            do throws(BenchFailure) {
                let latency = try queries.run(for: time)
                asked.withLock { $0 = .success(latency) }
            } catch {
                asked.withLock { $0 = .failure(error) }
            }
        }
        let posted = Result { () throws(BenchFailure) in try events.run(for: time) }
        thread.join()
        guard let found = asked.withLock({ $0 }) else { throw BenchFailure("no query was asked") }
        let (event, query) = (try posted.get().figures(), try found.get().figures())
        rounds[side, default: ([], [])].events.append(event[1].value)
        rounds[side, default: ([], [])].queries.append(query[1].value)
        return event.map { Figure("events \($0.name)", .nanoseconds, $0.value) }
            + query.map { Figure("query \($0.name)", .nanoseconds, $0.value) }
    }

    /// Nothing of a flood is left for the next side to wait for.
    private func settle() throws(BenchFailure) {
        let deadline = Deadline.after(.seconds(120))
        while try LogCounts(server).queued > 0, !deadline.hasPassed {
            sleep(until: .after(.milliseconds(20)))
        }
    }

    func finish() throws(BenchFailure) -> [SideFigures] {
        try server.stop()
        guard let quiet = rounds["no flood"] else { return [] }
        return floods.compactMap { flood in
            guard let loud = rounds[flood.name] else { return nil }
            return SideFigures(
                side: flood.name,
                figures: [
                    Figure(
                        "events p99 ratio", .ratio,
                        LogsFloodBenchmark.median(loud.events)
                            / LogsFloodBenchmark.median(quiet.events)),
                    Figure(
                        "query p99 ratio", .ratio,
                        LogsFloodBenchmark.median(loud.queries)
                            / LogsFloodBenchmark.median(quiet.queries)),
                ])
        }
    }

    private static func median(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        return sorted.isEmpty ? 0 : sorted[sorted.count / 2]
    }
}
