internal import Glibc
import Primitives
import ProcessSupport

/// The service's release binary, running on a free port with a data directory of its own. Killed
/// when the last owner goes.
final class ServerProcess {
    let port: UInt16
    /// From the start of the process to the first 200 of `/healthz`.
    let startup: Duration
    private let process: ChildProcess
    private let outputPath: String

    private static let startLimit = Duration.seconds(20)
    private static let stopLimit = Duration.seconds(60)

    /// Returns once it takes events and answers questions.
    /// - Parameters:
    ///   - dataDirectory: made if it is not there.
    ///   - journalMaxBytes: large, so that a store that falls behind is measured as that and not
    ///     as refusals.
    ///   - options: of `serve`, besides.
    init(
        _ bench: Bench, dataDirectory: String, journalMaxBytes: String = "16GiB",
        options: [String] = []
    ) throws(BenchFailure) {
        port = try attempt("no free port") { try Loopback.freePort() }
        outputPath = bench.scratch.file("server.log")
        let start = MonotonicTime.now()
        process = try ChildProcess(
            measured: [
                bench.serverPath, "serve", "--host", "127.0.0.1", "--port", "\(port)",
                "--data-dir", dataDirectory, "--log-level", "warning",
                "--journal-max-bytes", journalMaxBytes,
            ] + options, output: outputPath)
        startup = try ServerProcess.awaitSuccess(
            of: "/healthz", port, process, outputPath, since: start)
        // It listens before its journal and its store are read.
        _ = try ServerProcess.awaitSuccess(of: "/readyz", port, process, outputPath, since: start)
    }

    var residentBytes: Int { process.residentBytes }

    func get(_ target: String) throws(BenchFailure) -> HTTPGet {
        try HTTPGet(port: port, target: target)
    }

    /// Waits until it takes events and logs: it listens before it has read its journal.
    func awaitReady() throws(BenchFailure) {
        let deadline = Deadline.after(ServerProcess.startLimit)
        while try get("/readyz").status != 200 {
            guard !deadline.hasPassed else { throw BenchFailure("the server does not get ready") }
            sleep(until: .after(.milliseconds(2)))
        }
    }

    /// SIGTERM, and then the end of the drain.
    /// - Throws: if it does not end in time or not with 0.
    func stop() throws(BenchFailure) {
        process.send(SIGTERM)
        guard let ending = process.ending(within: ServerProcess.stopLimit) else {
            throw BenchFailure("the server still runs a minute after SIGTERM")
        }
        guard ending == .exited(0) else {
            let said = FileSystem.text(outputPath).suffix(500)
            throw BenchFailure("the server ended with \(ending): \(said)")
        }
    }

    /// - Returns: the time since `start`.
    private static func awaitSuccess(
        of target: String, _ port: UInt16, _ process: ChildProcess, _ outputPath: String,
        since start: MonotonicTime
    ) throws(BenchFailure) -> Duration {
        let deadline = Deadline.after(startLimit)
        while true {
            if let reply = try? HTTPGet(port: port, target: target), reply.status == 200 {
                return MonotonicTime.now().since(start)
            }
            guard process.isRunning, !deadline.hasPassed else {
                let said = FileSystem.text(outputPath).suffix(500)
                throw BenchFailure("the server does not answer \(target): \(said)")
            }
            sleep(until: .after(.microseconds(200)))
        }
    }
}
