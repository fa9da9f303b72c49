import Primitives

/// A server of its own that events are posted to, and the account of them.
final class IntakeLoad {
    private let scratch: ScratchDirectory
    private let server: ServerProcess
    private let idleBytes: Int
    private var ledger = EventLedger()

    init(_ bench: Bench) throws(BenchFailure) {
        scratch = bench.scratch
        server = try ServerProcess(bench, dataDirectory: try bench.scratch.freshFolder("data"))
        sleep(until: .after(.milliseconds(500)))
        idleBytes = server.residentBytes
    }

    /// Posts the same body again and again.
    func post(
        _ body: Wrk.Body, eventsEach: Int, connections: Int, for time: Duration
    ) throws(BenchFailure) -> [Figure] {
        let wrk = Wrk(
            scratch: scratch, port: server.port, target: "/events", body: body,
            connections: connections)
        let outcome = try wrk.run(for: time)
        ledger.add(
            requests: outcome.requests, connections: connections, eventsEach: eventsEach)
        return outcome.figures("events", each: eventsEach)
    }

    /// Checks that all is stored, and stops the server.
    func finish() throws(BenchFailure) -> [SideFigures] {
        let (time, rows) = try ledger.settle(server)
        let bytes = server.residentBytes
        try server.stop()
        return [
            SideFigures(
                side: "all stored",
                figures: [
                    Figure("rows", .number, Double(rows)),
                    Figure("after the last reply", .nanoseconds, Double(time.wholeNanoseconds)),
                    Figure("memory idle", .bytes, Double(idleBytes)),
                    Figure("memory after", .bytes, Double(bytes)),
                ])
        ]
    }
}
