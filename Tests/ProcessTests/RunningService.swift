internal import Glibc
import Primitives
import TestSupport

/// The real binary, running as a process of its own on a free port, with a data directory of its
/// own that goes away with it. It is killed when the last owner goes.
///
///     let service = try RunningService.start(["--journal-sync", "interval"])
///     let reply = try service.post("/events", json: #"{"type":"signup"}"#)
///     #expect(reply.status == 202)
///     service.kill()
///     let again = try service.startAgain()
///     #expect(try again.terminate() == .exited(0))
final class RunningService: Sendable {
    let port: UInt16
    let process: ChildProcess
    /// Where `dataDirectory` and the captured output lie.
    let directory: TemporaryDirectory
    let dataDirectory: String
    /// What each request carries that does not say otherwise: a key, say.
    let headers = Locked<[String: String]>([:])
    private let launch: Launch

    /// How it was started, so that it can be started again.
    private struct Launch {
        var command: String
        var arguments: [String]
        var environment: [String: String]
        var wrapper: [String]
        var limit: Duration
    }

    var pid: pid_t { process.pid }

    /// Starts `millrace serve` and returns once `/healthz` answers.
    /// - Parameters:
    ///   - command: another one than `serve`, which takes the same arguments.
    ///   - arguments: after `serve --host 127.0.0.1 --port 0 --data-dir …`.
    ///   - dataDirectory: another place for the data, a small tmpfs say; it is not removed.
    ///   - environment: added to this process's own, without any `MILLRACE_*` of that.
    ///   - wrapper: a command and its arguments to put in front, such as
    ///     `["prlimit", "--nofile=64"]`. Signals reach the wrapper if it does not `exec`.
    ///   - limit: generous, because sanitizers and busy machines are slow.
    static func start(
        _ arguments: [String] = [], command: String = "serve", dataDirectory: String? = nil,
        environment: [String: String] = [:], wrapper: [String] = [],
        within limit: Duration = .seconds(60)
    ) throws -> RunningService {
        let directory = try TemporaryDirectory()
        return try RunningService(
            directory: directory, dataDirectory: dataDirectory ?? directory.file("data"),
            launch: Launch(
                command: command, arguments: arguments, environment: environment, wrapper: wrapper,
                limit: limit))
    }

    /// Starts a successor on the same data directory; this one must have ended.
    /// - Parameter arguments: other ones than before; nil keeps them.
    func startAgain(_ arguments: [String]? = nil) throws -> RunningService {
        guard !process.isRunning else { throw TestError("the service still runs") }
        var launch = launch
        if let arguments { launch.arguments = arguments }
        return try RunningService(
            directory: directory, dataDirectory: dataDirectory, launch: launch)
    }

    private init(directory: TemporaryDirectory, dataDirectory: String, launch: Launch) throws {
        self.directory = directory
        self.dataDirectory = dataDirectory
        self.launch = launch
        // A successor writes on in the same files, so only what is new tells its port.
        let earlier = FileSystem.read(directory.file("stdout"))?.count ?? 0
        process = try ChildProcess(
            launch.wrapper + [try MillraceBinary.path(), launch.command]
                + ["--host", "127.0.0.1", "--port", "0", "--data-dir", dataDirectory]
                + launch.arguments,
            environment: launch.environment, output: directory.file("stdout"),
            errors: directory.file("stderr"))
        let deadline = Deadline.after(launch.limit)
        port = try RunningService.awaitPort(process, directory, after: earlier, deadline)
        try wait(until: "/healthz answers", within: deadline.remaining) {
            (try? get("/healthz").status) == 200
        }
    }

    // MARK: Ending

    func send(_ signal: Int32) { process.send(signal) }

    /// SIGKILL: nothing is flushed, nothing is said.
    func kill() { process.kill() }

    /// SIGTERM, and then the end of the drain.
    /// - Parameter limit: more than the shutdown timeout, which a service may use to the end.
    /// - Throws: if it still runs after `limit`.
    func terminate(within limit: Duration = .seconds(60)) throws -> ProcessEnding {
        process.send(SIGTERM)
        let patience = min(limit / 2, .seconds(15))
        var status = process.exit(within: patience)
        if status == nil {
            print("process \(pid) still runs \(patience) after SIGTERM:\n\(process.threads)")
            status = process.exit(within: limit - patience)
        }
        guard let status else {
            throw TestError("still running \(limit) after SIGTERM: \(said)\n\(process.threads)")
        }
        if status != .exited(0) { print("process \(pid) ended with \(status): \(said)") }
        return status
    }

    // MARK: Looking

    /// Asks again and again until `isSo` holds; the one way to wait in a test.
    /// - Parameter pause: between two questions.
    func wait(
        until what: String, within limit: Duration = .seconds(30),
        every pause: Duration = .milliseconds(5), _ isSo: () throws -> Bool
    ) throws {
        let deadline = Deadline.after(limit * slowness)
        while !(try isSo()) {
            guard !deadline.hasPassed else {
                throw TestError("waited in vain until \(what): \(said)")
            }
            guard process.isRunning else { throw TestError("ended before \(what): \(said)") }
            usleep(UInt32(pause.wholeMilliseconds * 1000))
        }
    }

    /// Standard output so far; log records, one JSON object a line.
    var output: String { FileSystem.text(directory.file("stdout")) }
    /// Standard error so far: empty unless something went badly wrong.
    var errors: String { FileSystem.text(directory.file("stderr")) }

    /// The log records so far; lines that are no JSON are left out.
    var records: [JSONTree] {
        output.split(separator: "\n").compactMap { try? JSONTree.parse($0) }
    }

    /// Memory in use, in bytes.
    var residentBytes: Int { process.residentBytes }

    /// How many files and sockets it has open.
    var openDescriptors: Int {
        guard let stream = opendir("/proc/\(pid)/fd") else { return 0 }
        defer { closedir(stream) }
        var count = -2  // `.` and `..`
        while readdir(stream) != nil { count += 1 }
        return count
    }

    /// The end of what it said, for the message of a failed test.
    private var said: String { "\(output.suffix(2000))\n\(errors.suffix(2000))" }

    /// The port of the address in the record that says `listening`.
    private static func awaitPort(
        _ process: ChildProcess, _ directory: TemporaryDirectory, after offset: Int,
        _ deadline: Deadline
    ) throws -> UInt16 {
        while true {
            let isRunning = process.isRunning
            let output = (FileSystem.read(directory.file("stdout")) ?? []).dropFirst(offset)
            for line in output.split(separator: UInt8(ascii: "\n")) {
                guard let record = try? JSONTree.parse(Array(line)),
                    record["message"]?.string == "listening",
                    let port = record["address"]?.string?.split(separator: ":").last
                else { continue }
                return UInt16(port) ?? 0
            }
            guard isRunning, !deadline.hasPassed else {
                let said = String(decoding: output.suffix(2000), as: UTF8.self)
                throw TestError(
                    "the service does not listen: \(said)\n\(FileSystem.text(directory.file("stderr")))"
                )
            }
            usleep(5000)
        }
    }
}
