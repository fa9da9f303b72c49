import Primitives

/// A server of its own that events are posted to, and the account of them.
final class IntakeLoad {
    private let scratch: ScratchDirectory
    private let server: ServerProcess
    private let idleBytes: Int
    private var ledger = EventLedger()

    /// - Parameters:
    ///   - name: of its data directory, its own among the servers of a benchmark.
    ///   - options: of `serve`, besides.
    init(
        _ bench: Bench, name: String = "data", options: [String] = []
    ) throws(BenchFailure) {
        scratch = bench.scratch
        server = try ServerProcess(
            bench, dataDirectory: try bench.scratch.freshFolder(name), options: options)
        sleep(until: .after(.milliseconds(500)))
        idleBytes = server.residentBytes
    }

    /// Posts the same body again and again.
    /// - Parameters:
    ///   - pause: of each connection after a reply.
    ///   - unit: what an acknowledged event is called.
    func post(
        _ body: Wrk.Body, eventsEach: Int, connections: Int, pause: Duration = .zero,
        for time: Duration, unit: String = "events"
    ) throws(BenchFailure) -> [Figure] {
        let wrk = Wrk(
            scratch: scratch, port: server.port, target: "/events", body: body,
            connections: connections, pause: pause)
        let outcome = try wrk.run(for: time)
        ledger.add(
            requests: outcome.requests, connections: connections, eventsEach: eventsEach)
        return outcome.figures(unit, each: eventsEach)
    }

    /// Waits until all is counted, each event once.
    func settle() throws(BenchFailure) -> (time: Duration, rows: Int) { try ledger.settle(server) }

    /// Checks that all is stored, and stops the server.
    func finish(as side: String = "all stored") throws(BenchFailure) -> [SideFigures] {
        let (time, rows) = try settle()
        let bytes = server.residentBytes
        try server.stop()
        return [
            SideFigures(
                side: side,
                figures: [
                    Figure("rows", .number, Double(rows)),
                    Figure("after the last reply", .nanoseconds, Double(time.wholeNanoseconds)),
                    Figure("memory idle", .bytes, Double(idleBytes)),
                    Figure("memory after", .bytes, Double(bytes)),
                ])
        ]
    }
}
