internal import Glibc
import Primitives

/// A real `redis-server` in a process of its own, on a free port, with a folder that goes away with
/// it. It keeps nothing on disk unless its arguments say so.
///
///     let redis = try RedisServer(["--appendonly", "yes"])
///     redis.kill()
///     try redis.start(withData: false)
///
/// Where nothing kills or fills it, several share one, each with a database of its own:
///
///     let redis = RedisServer(databaseOf: server)
package final class RedisServer: @unchecked Sendable {  // One thread drives it at a time.
    package let port: UInt16
    /// What its users select.
    package let database: Int
    private let arguments: [String]
    private let instance: Instance

    /// The process and its folder, for all who share it.
    private final class Instance {
        let directory: TemporaryDirectory
        var process: ChildProcess
        /// The next database that nobody has.
        let nextDatabase = Locked(1)

        init(_ directory: TemporaryDirectory, _ process: ChildProcess) {
            (self.directory, self.process) = (directory, process)
        }

        // Before its folder goes.
        deinit { process.kill() }
    }

    /// It starts in some 20 ms; this only ends a failure.
    private static let startLimit = Duration.seconds(60)

    /// Returns once it answers.
    /// - Parameter arguments: as on redis-server's command line, after the port and the folder.
    package init(_ arguments: [String] = []) throws(SystemFailure) {
        let directory = try TemporaryDirectory()
        self.arguments = arguments
        database = 0
        // A port that was free may be taken by now; Redis then ends at once, and another is tried.
        for _ in 0..<5 {
            let candidate = try Loopback.freePort()
            if let process = try RedisServer.start(candidate, directory, arguments) {
                port = candidate
                instance = Instance(directory, process)
                return
            }
        }
        throw SystemFailure("redis-server does not start")
    }

    /// Another database of the same process, which runs until nobody uses one of them. Any thread.
    package init(databaseOf other: RedisServer) {
        (port, arguments, instance) = (other.port, other.arguments, other.instance)
        database = other.instance.nextDatabase.withLock { next in
            defer { next += 1 }
            return next
        }
    }

    /// Where it runs, and writes its log.
    package var directory: TemporaryDirectory { instance.directory }

    /// Its address on TCP, without a user.
    package var url: String {
        "redis://127.0.0.1:\(port)" + (database == 0 ? "" : "/\(database)")
    }
    package var socketPath: String { directory.file("socket") }

    /// Ends it at once, as `kill -9`; what it did not write is gone.
    package func kill() { instance.process.kill() }

    /// Waits for the end that it was asked for by a command; nil if it still runs after `limit`.
    package func ending(within limit: Duration) -> ProcessEnding? {
        instance.process.ending(within: limit)
    }

    /// Stops it in mid-work: its sockets stay open and the kernel still accepts for it.
    package func pause() { instance.process.send(SIGSTOP) }
    /// Goes on after `pause`.
    package func resume() { instance.process.send(SIGCONT) }

    /// Starts it again on its old port after its end.
    /// - Parameters:
    ///   - more: arguments for this time.
    ///   - isLoaded: it is waited for until it has read its data; else until it answers that it
    ///     still reads.
    package func start(
        withData: Bool = true, _ more: [String] = [], isLoaded: Bool = true
    ) throws(SystemFailure) {
        if !withData {
            for name in directory.names where name.hasSuffix(".rdb") || name == "appendonlydir" {
                FileSystem.remove(directory.file(name))
            }
        }
        let started = try RedisServer.start(
            port, directory, arguments + more, isLoaded: isLoaded)
        guard let started else { throw SystemFailure("redis-server does not start again") }
        instance.process = started
    }

    /// - Returns: the process, once it answers; nil if it ended.
    private static func start(
        _ port: UInt16, _ directory: TemporaryDirectory, _ arguments: [String],
        isLoaded: Bool = true
    ) throws(SystemFailure) -> ChildProcess? {
        let log = directory.file("log")
        let socket = directory.file("socket")
        // One that was killed has left its own.
        unlink(socket)
        let process = try ChildProcess(
            [
                "redis-server", "--port", "\(port)", "--bind", "127.0.0.1", "--dir",
                directory.path, "--unixsocket", socket, "--save", "", "--enable-debug-command",
                "yes",
            ] + arguments, base: .empty, output: log, errors: log)
        let deadline = Deadline.after(startLimit)
        while process.isRunning, !deadline.hasPassed {
            if answers(on: socket, isLoaded: isLoaded) { return process }
            sleep(until: .after(.milliseconds(2)))
        }
        return nil
    }

    /// Whether Redis answers, be it with an error of its own. Its own socket is asked, since a
    /// stranger may have the port.
    private static func answers(on path: String, isLoaded: Bool) -> Bool {
        guard let socket = try? Loopback.connect(toSocketAt: path) else { return false }
        defer { close(socket) }
        let ping = Array("PING\r\n".utf8)
        guard send(socket, ping, ping.count, Int32(MSG_NOSIGNAL)) == ping.count else {
            return false
        }
        var readable = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
        guard poll(&readable, 1, 500) == 1 else { return false }
        var reply = [UInt8](repeating: 0, count: 64)
        let count = recv(socket, &reply, reply.count, 0)
        return count > 0 && !(isLoaded && reply.starts(with: Array("-LOADING".utf8)))
    }
}
