import Primitives
import ProcessSupport

/// Log records over HTTP until they are stored: as lines of files, and so that they can be searched.
struct LogsHTTPBenchmark: Benchmark {
    static let name = "logs-http"
    static let summary = "POST /logs, NDJSON of 500 records, 2 connections: until all are stored"

    private static let connections = 2
    private static let storeLimit = Duration.seconds(120)

    /// A server that keeps logs in one of the ways, and what it has accepted.
    private final class Target {
        let mode: String
        let server: ServerProcess
        let directory: String
        var accepted = 0

        init(_ bench: Bench, mode: String) throws(BenchFailure) {
            self.mode = mode
            directory = try bench.scratch.freshFolder("logs-\(mode)")
            server = try ServerProcess(
                bench, dataDirectory: directory, options: ["--logs-store", mode])
            try server.awaitReady()
        }
    }

    private let targets: [Target]
    private let requests = SampleLogs.bodies.map { KeptConnection.post("/logs", lines: $0.span) }

    init(_ bench: Bench) throws(BenchFailure) {
        targets = [
            try Target(bench, mode: "files"), try Target(bench, mode: "search"),
        ]
    }

    var sides: [Side] {
        targets.map { target in
            Side(name: target.mode) { (time) throws(BenchFailure) in try measure(target, time) }
        }
    }

    private func measure(_ target: Target, _ time: Duration) throws(BenchFailure) -> [Figure] {
        let start = MonotonicTime.now()
        let flood = LogFlood(
            port: target.server.port, requests, recordsEach: SampleLogs.linesPerBody,
            connections: LogsHTTPBenchmark.connections)
        sleep(until: .after(time))
        let account = try flood.stop()
        target.accepted += account.accepted
        let deadline = Deadline.after(LogsHTTPBenchmark.storeLimit)
        while try LogCounts(target.server).stored < target.accepted {
            guard !deadline.hasPassed else { throw BenchFailure("logs are not stored") }
            sleep(until: .after(.milliseconds(5)))
        }
        let elapsed = MonotonicTime.now().since(start).inSeconds
        return [
            Figure("records/s", .perSecond, Double(account.accepted) / elapsed),
            Figure("refused requests", .number, Double(account.refusedRequests)),
        ]
    }

    func finish() throws(BenchFailure) -> [SideFigures] {
        var figures: [SideFigures] = []
        for target in targets {
            let (accepted, memory) = (target.accepted, target.server.residentBytes)
            try target.server.stop()
            let folder = target.directory + "/logs"
            let names = FileSystem.names(in: folder)
            let bytes = names.reduce(0) { $0 + (FileSystem.read(folder + "/" + $1)?.count ?? 0) }
            if target.mode == "files" {
                let lines = names.reduce(0) { $0 + LineCount.takeAway(folder + "/" + $1) }
                guard lines == accepted else {
                    throw BenchFailure("\(accepted) records were accepted, \(lines) are lines")
                }
            }
            figures.append(
                SideFigures(
                    side: target.mode,
                    figures: [
                        Figure("per record", .bytes, Double(bytes) / Double(max(accepted, 1))),
                        Figure("memory after", .bytes, Double(memory)),
                    ]))
        }
        return figures
    }
}

/// What `/status` says of taken-in logs.
struct LogCounts {
    let stored: Int
    let queued: Int

    init(_ server: ServerProcess) throws(BenchFailure) {
        let reply = try server.get("/status")
        guard let logs = (try? JSONValue.parse(reply.body.span))?["logs"],
            case .integer(let stored)? = logs["stored"],
            case .integer(let queued)? = logs["queued"],
            case .integer(0)? = logs["lost"]
        else { throw BenchFailure("no counts of logs, or records were lost") }
        self.stored = Int(stored)
        self.queued = Int(queued)
    }
}
