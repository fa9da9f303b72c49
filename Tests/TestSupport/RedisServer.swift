internal import Glibc
import Primitives
import Redis

/// A real `redis-server` in a process of its own, on a free port and a folder of its own.
package final class RedisServer: @unchecked Sendable {  // One test drives it.
    package let port: UInt16
    private let directory: TemporaryDirectory
    private let arguments: [String]
    private var process: ChildProcess

    /// - Parameter arguments: as on redis-server's command line, after the port and the folder.
    package init(_ arguments: [String] = []) throws {
        directory = try TemporaryDirectory()
        self.arguments = arguments
        // A port that was free may be taken by now; Redis then ends at once, and another is tried.
        for _ in 0..<5 {
            let candidate = try Loopback.freePort()
            if let started = try RedisServer.start(candidate, directory, arguments) {
                port = candidate
                process = started
                return
            }
        }
        throw TestError("redis-server does not start")
    }

    // Before its folder goes.
    deinit { process.kill() }

    package var socketPath: String { directory.file("socket") }

    /// Its address on TCP, for a user who may be named.
    package func url(
        user: String? = nil, password: String? = nil, database: Int = 0
    ) -> RedisURL {
        RedisURL(
            endpoints: [.tcp(host: "127.0.0.1", port: port)], user: user,
            password: password.map { RedisPassword($0) }, database: database)
    }

    /// Ends it at once, as `kill -9`; what it did not write is gone.
    package func kill() { process.kill() }

    /// Stops it in mid-work: its sockets stay open and the kernel still accepts for it.
    package func pause() { process.send(SIGSTOP) }
    /// Goes on after `pause`.
    package func resume() { process.send(SIGCONT) }

    /// Starts it again on its old port after `kill`.
    package func start(withData: Bool = true) throws {
        if !withData {
            for name in directory.names where name.hasSuffix(".rdb") || name == "appendonlydir" {
                FileSystem.remove(directory.file(name))
            }
        }
        guard let started = try RedisServer.start(port, directory, arguments) else {
            throw TestError("redis-server does not start again")
        }
        process = started
    }

    /// - Returns: the process, once it answers; nil if it ended.
    private static func start(
        _ port: UInt16, _ directory: TemporaryDirectory, _ arguments: [String]
    ) throws -> ChildProcess? {
        let log = directory.file("log")
        let process = try ChildProcess(
            [
                "redis-server", "--port", String(port), "--bind", "127.0.0.1", "--dir",
                directory.path, "--unixsocket", directory.file("socket"), "--save", "",
            ] + arguments, output: log, errors: log)
        let isUp = eventually { !process.isRunning || answers(port) }
        return isUp && process.isRunning ? process : nil
    }

    /// Whether Redis answers, be it with an error of its own; not while it still loads.
    private static func answers(_ port: UInt16) -> Bool {
        guard let socket = try? Loopback.connect(to: port) else { return false }
        defer { close(socket) }
        let ping = Array("PING\r\n".utf8)
        guard send(socket, ping, ping.count, Int32(MSG_NOSIGNAL)) == ping.count else {
            return false
        }
        var readable = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
        guard poll(&readable, 1, 500) == 1 else { return false }
        var reply = [UInt8](repeating: 0, count: 64)
        let count = recv(socket, &reply, reply.count, 0)
        return count > 0 && !reply.starts(with: Array("-LOADING".utf8))
    }
}
