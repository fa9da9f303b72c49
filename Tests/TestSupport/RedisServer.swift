internal import Glibc
import Primitives
import Redis

/// A real `redis-server` in a process of its own, on a free port and a folder of its own.
package final class RedisServer: @unchecked Sendable {  // One test drives it.
    package let port: UInt16
    private let directory: TemporaryDirectory
    private let arguments: [String]
    private var process: pid_t = 0

    /// - Parameter arguments: as on redis-server's command line, after the port and the folder.
    package init(_ arguments: [String] = []) throws {
        directory = try TemporaryDirectory()
        self.arguments = arguments
        // A port that was free may be taken by now; Redis then ends at once, and another is tried.
        for _ in 0..<5 {
            let candidate = try Loopback.freePort()
            if let started = try RedisServer.spawn(candidate, directory.path, arguments) {
                port = candidate
                process = started
                return
            }
        }
        throw TestError("redis-server does not start")
    }

    deinit { kill() }

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
    package func kill() {
        guard process != 0 else { return }
        Glibc.kill(process, SIGKILL)
        waitpid(process, nil, 0)
        process = 0
    }

    /// Stops it in mid-work: its sockets stay open and the kernel still accepts for it.
    package func pause() { Glibc.kill(process, SIGSTOP) }
    /// Goes on after `pause`.
    package func resume() { Glibc.kill(process, SIGCONT) }

    /// Starts it again on its old port after `kill`.
    package func start(withData: Bool = true) throws {
        if !withData {
            for name in directory.names where name.hasSuffix(".rdb") || name == "appendonlydir" {
                FileSystem.remove(directory.file(name))
            }
        }
        guard let started = try RedisServer.spawn(port, directory.path, arguments) else {
            throw TestError("redis-server does not start again")
        }
        process = started
    }

    /// - Returns: the process, once it answers; nil if it ended.
    private static func spawn(
        _ port: UInt16, _ folder: String, _ arguments: [String]
    ) throws -> pid_t? {
        let base = [
            "redis-server", "--port", String(port), "--bind", "127.0.0.1", "--dir", folder,
            "--unixsocket", folder + "/socket", "--save", "", "--logfile", folder + "/log",
        ]
        guard let process = spawn("/usr/bin/redis-server", base + arguments) else {
            throw TestError("no /usr/bin/redis-server: apt-get install redis-server")
        }
        var hasEnded = false
        let isUp = eventually {
            hasEnded = waitpid(process, nil, WNOHANG) == process
            return hasEnded || answers(port)
        }
        if isUp, !hasEnded { return process }
        if !hasEnded {
            Glibc.kill(process, SIGKILL)
            waitpid(process, nil, 0)
        }
        return nil
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

    private static func spawn(_ path: String, _ arguments: [String]) -> pid_t? {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        // Descriptors of tests that run beside this one must not live on in the child.
        for descriptor in 3..<512 as Range<Int32> {
            posix_spawn_file_actions_addclose(&actions, descriptor)
        }
        posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        defer { posix_spawn_file_actions_destroy(&actions) }
        var texts = arguments.map { strdup($0) }
        defer { for text in texts { free(text) } }
        texts.append(nil)
        var process: pid_t = 0
        return posix_spawn(&process, path, &actions, nil, texts, environ) == 0 ? process : nil
    }
}
