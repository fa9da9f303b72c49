internal import Glibc
import Primitives
import TestSupport

/// A `redis-server` of a test's own, on a free port, with a folder that goes away with it.
final class RedisProcess: @unchecked Sendable {  // One thread drives it at a time.
    let port: UInt16
    private let directory: TemporaryDirectory
    private let arguments: [String]
    private var process: ChildProcess

    var url: String { "redis://127.0.0.1:\(port)" }

    /// - Parameter arguments: as on redis-server's command line.
    init(_ arguments: [String] = []) throws {
        let directory = try TemporaryDirectory()
        (self.directory, self.arguments) = (directory, arguments)
        // A port that was free may be taken by now; then another is tried.
        var attempts = 0
        while true {
            let candidate = try Loopback.freePort()
            attempts += 1
            do {
                process = try RedisProcess.start(candidate, directory, arguments)
                port = candidate
                return
            } catch {
                if attempts == 5 { throw error }
            }
        }
    }

    // MARK: Coming and going

    /// Ends it at once; what it did not write is gone.
    func kill() { process.kill() }

    /// Lets it write what it has and end.
    func save() throws {
        try command("SHUTDOWN", "SAVE")
        guard process.exit(within: .seconds(20)) != nil else {
            throw TestError("redis-server does not end")
        }
    }

    /// Starts it again on its old port.
    /// - Parameter more: arguments for this time.
    func start(withData: Bool = true, _ more: [String] = []) throws {
        if !withData {
            for name in ["dump.rdb", "appendonlydir"] {
                FileSystem.remove(directory.file(name))
            }
        }
        process = try RedisProcess.start(port, directory, arguments + more)
    }

    /// Stops it in mid-work: its sockets stay open, and the kernel still accepts for it.
    func pause() { process.send(SIGSTOP) }
    func resume() { process.send(SIGCONT) }

    /// Lets writing the snapshot fail, so that Redis takes no writes: a folder is in its way.
    func breakSaving() throws {
        guard mkdir(directory.file("dump.rdb"), 0o700) == 0 else {
            throw TestError("mkdir: errno \(errno)")
        }
        try command("CONFIG", "SET", "save", "3600 1000000")
        try save(until: "err")
    }

    func mendSaving() throws {
        rmdir(directory.file("dump.rdb"))
        try save(until: "ok")
    }

    private func save(until word: String) throws {
        try command("BGSAVE")
        let isSo = eventually(within: .seconds(20)) {
            let lines = try? command("INFO", "persistence")
            return lines?.contains("rdb_last_bgsave_status:\(word)\r") == true
                && lines?.contains("rdb_bgsave_in_progress:0\r") == true
        }
        guard isSo else { throw TestError("the snapshot is not \(word)") }
    }

    // MARK: Asking

    /// What `redis-cli` answers; one line for each element of a reply.
    @discardableResult
    func command(_ words: String...) throws -> [String] {
        try run(["redis-cli", "-p", "\(port)"] + words)
    }

    /// The keys of this many partitions.
    static func keys(_ partitions: Int = 4) -> [String] {
        (0..<partitions).map { "millrace:{\($0)}:events" }
    }

    /// Makes a group that nobody reads with, so that nothing is trimmed away.
    func addGroup(_ group: String) throws {
        for key in RedisProcess.keys() {
            try command("XGROUP", "CREATE", key, group, "0", "MKSTREAM")
        }
    }

    /// The values of a field of every entry, of all partitions.
    func values(of field: String) throws -> [String] {
        try RedisProcess.keys().flatMap { key in
            RedisProcess.values(of: field, in: try command("XRANGE", key, "-", "+"))
        }
    }

    /// Reads on as a foreign group and acknowledges, until nothing new comes.
    /// - Returns: what `EventLoad` knows each entry's event by.
    func readAll(group: String) throws -> [String] {
        var marks: [String] = []
        for key in RedisProcess.keys() {
            while true {
                let lines = try command(
                    "XREADGROUP", "GROUP", group, "reader", "COUNT", "5000", "NOACK", "STREAMS",
                    key, ">")
                let events = RedisProcess.values(of: "event", in: lines)
                if events.isEmpty { break }
                marks += try events.map { try JSONTree.parse($0).mark }
            }
        }
        return marks
    }

    private static func values(of field: String, in lines: [String]) -> [String] {
        lines.indices.filter { lines[$0] == field && $0 + 1 < lines.count }.map { lines[$0 + 1] }
    }

    private func run(_ command: [String]) throws -> [String] {
        try RedisProcess.run(command, in: directory)
    }

    private static func run(
        _ command: [String], in directory: TemporaryDirectory
    ) throws -> [String] {
        let output = directory.file("out-\(UInt64.random(in: 0...UInt64.max))")
        let child = try ChildProcess(command, output: output, errors: output)
        guard child.exit(within: .seconds(30)) != nil else {
            throw TestError("\(command.joined(separator: " ")) does not end")
        }
        defer { unlink(output) }
        // Redis itself ends lines with CR LF in one reply, which Swift would take for one character.
        return (FileSystem.read(output) ?? []).split(
            separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false
        ).map { String(decoding: $0, as: UTF8.self) }
    }

    private static func start(
        _ port: UInt16, _ directory: TemporaryDirectory, _ arguments: [String]
    ) throws -> ChildProcess {
        let log = directory.file("log")
        let process = try ChildProcess(
            ["redis-server", "--port", "\(port)", "--bind", "127.0.0.1", "--dir", directory.path]
                + ["--save", "", "--enable-debug-command", "yes"] + arguments,
            output: log, errors: log)
        // Somebody else may have the port, so it has to say who it is.
        let isUp = eventually(within: .seconds(20)) {
            guard process.isRunning else { return true }
            let lines = try? run(["redis-cli", "-p", "\(port)", "INFO", "server"], in: directory)
            return lines?.contains("process_id:\(process.pid)\r") == true
        }
        guard isUp, process.isRunning else { throw TestError("redis-server does not start") }
        return process
    }
}
