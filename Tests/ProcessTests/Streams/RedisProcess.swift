internal import Glibc
import Primitives
import TestSupport

/// A `redis-server` of a test's own, on a free port, with a folder that goes away with it.
final class RedisProcess: @unchecked Sendable {  // One test drives it.
    let port: UInt16
    private let directory: TemporaryDirectory
    private let arguments: [String]
    private var process: ChildProcess

    var url: String { "redis://127.0.0.1:\(port)" }

    /// - Parameter arguments: as on redis-server's command line.
    init(_ arguments: [String] = []) throws {
        directory = try TemporaryDirectory()
        self.arguments = arguments
        port = try Loopback.freePort()
        process = try RedisProcess.start(port, directory, arguments)
    }

    /// Ends it at once; what it did not write is gone.
    func kill() { process.kill() }

    /// Starts it again on its old port.
    func start(withData: Bool = true) throws {
        if !withData {
            for name in ["dump.rdb", "appendonlydir"] {
                _ = try run(["rm", "-rf", directory.file(name)])
            }
        }
        process = try RedisProcess.start(port, directory, arguments)
    }

    /// Stops it in mid-work: its sockets stay open, and the kernel still accepts for it.
    func pause() { process.send(SIGSTOP) }
    func resume() { process.send(SIGCONT) }

    /// What `redis-cli` answers; one line for each element of a reply.
    @discardableResult
    func command(_ words: String...) throws -> [String] {
        try run(["redis-cli", "-p", "\(port)"] + words)
    }

    /// The keys of this many partitions.
    static func keys(_ partitions: Int = 4) -> [String] {
        (0..<partitions).map { "millrace:{\($0)}:events" }
    }

    /// The values of a field of every entry, of all partitions.
    func values(of field: String) throws -> [String] {
        var values: [String] = []
        for key in RedisProcess.keys() {
            let lines = try command("XRANGE", key, "-", "+")
            for (index, line) in lines.enumerated() where line == field && index + 1 < lines.count {
                values.append(lines[index + 1])
            }
        }
        return values
    }

    /// Reads on as a foreign group and acknowledges, until nothing new comes.
    /// - Returns: the field `id` of each entry.
    func readAll(group: String) throws -> [String] {
        var ids: [String] = []
        for key in RedisProcess.keys() {
            while true {
                let lines = try command(
                    "XREADGROUP", "GROUP", group, "reader", "COUNT", "5000", "NOACK", "STREAMS",
                    key, ">")
                let before = ids.count
                for (index, line) in lines.enumerated()
                where line == "id" && index + 1 < lines.count { ids.append(lines[index + 1]) }
                if ids.count == before { break }
            }
        }
        return ids
    }

    private func run(_ command: [String]) throws -> [String] {
        let output = directory.file("out-\(UInt64.random(in: 0...UInt64.max))")
        let child = try ChildProcess(command, output: output, errors: output)
        guard child.exit(within: .seconds(30)) != nil else {
            throw TestError("\(command.joined(separator: " ")) does not end")
        }
        defer { unlink(output) }
        return String(decoding: readFile(output) ?? [], as: UTF8.self)
            .split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }

    private static func start(
        _ port: UInt16, _ directory: TemporaryDirectory, _ arguments: [String]
    ) throws -> ChildProcess {
        let log = directory.file("log")
        let process = try ChildProcess(
            ["redis-server", "--port", "\(port)", "--bind", "127.0.0.1", "--dir", directory.path]
                + ["--save", "", "--enable-debug-command", "yes"] + arguments,
            output: log, errors: log)
        let isUp = eventually(within: .seconds(20)) {
            guard process.isRunning, let socket = Loopback.connect(to: port) else { return false }
            close(socket)
            return true
        }
        guard isUp else { throw TestError("redis-server does not start") }
        return process
    }
}
