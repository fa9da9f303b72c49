package import Glibc
import Primitives

/// A program that a test or a benchmark started. Its output goes to files, so it never waits for a
/// reader and what it said outlives it. It is killed, if it still runs, when its last owner goes.
///
///     let child = try ChildProcess(["wrk", "-d1s", url], output: log, errors: log)
///     let ending = child.ending(within: .seconds(30))
package final class ChildProcess: Sendable {
    /// All that run, for `killAll`.
    private static let running = Locked<Set<pid_t>>([])
    /// A global is never released, so a child that one holds would outlive this process.
    private static let isKilledAtExit: Void = { _ = atexit { ChildProcess.killAll() } }()

    package let pid: pid_t
    /// Nil until the process has been waited for; a signal sent after that could hit a stranger.
    private let status = Locked<ProcessEnding?>(nil)

    /// What a child finds in its environment, besides what it is given.
    package enum Environment: Sendable {
        /// This process's own, without any `MILLRACE_*`.
        case inherited
        /// Nothing, so that nobody's settings change what is measured.
        case empty
    }

    /// - Parameters:
    ///   - command: the program, looked up on PATH if it has no slash, and its arguments.
    ///   - environment: added to `base`.
    ///   - output: the file that standard output is appended to.
    ///   - errors: the file that standard error is appended to; may be the same.
    package init(
        _ command: [String], environment: [String: String] = [:],
        base: Environment = .inherited, output: String, errors: String
    ) throws(SystemFailure) {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        let append = O_WRONLY | O_CREAT | O_APPEND
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output, append, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, errors, append, 0o600)
        // Files of tests that run beside this one would stay open in the child. Closing what is
        // not open does no harm.
        for descriptor in 3..<512 as Range<Int32> {
            posix_spawn_file_actions_addclose(&actions, descriptor)
        }
        let variables =
            (base == .inherited ? ChildProcess.inherited() : [])
            + environment.map { "\($0.key)=\($0.value)" }
        let pid = try ChildProcess.spawn(command, variables, &actions)
        self.pid = pid
        ChildProcess.isKilledAtExit
        ChildProcess.running.withLock { _ = $0.insert(pid) }
    }

    deinit { kill() }

    /// Kills all that run and waits for none: the calling process is about to end.
    package static func killAll() {
        running.withLock { pids in
            for pid in pids { _ = Glibc.kill(pid, SIGKILL) }
        }
    }

    package var isRunning: Bool { reap() == nil }

    /// Sends `signal`, unless the process has ended.
    package func send(_ signal: Int32) {
        status.withLock { status in
            if status == nil { _ = Glibc.kill(pid, signal) }
        }
    }

    /// Ends it at once, as a power cut would, and waits until it is gone.
    @discardableResult
    package func kill() -> ProcessEnding {
        send(SIGKILL)
        while true {
            if let status = reap() { return status }
            usleep(500)
        }
    }

    /// Waits for the end of the process; nil if it still runs after `limit`.
    package func ending(within limit: Duration) -> ProcessEnding? {
        let deadline = Deadline.after(limit)
        while !deadline.hasPassed {
            if let status = reap() { return status }
            usleep(1000)
        }
        return reap()
    }

    /// Memory in use, in bytes: `VmRSS`.
    package var residentBytes: Int {
        let lines = FileSystem.text("/proc/\(pid)/status").split(separator: "\n")
        let line = lines.first { $0.hasPrefix("VmRSS:") } ?? ""
        let words = line.split { $0 == " " || $0 == "\t" }
        return (words.dropFirst().first.flatMap { Int($0) } ?? 0) << 10
    }

    /// One line for each thread: its name, its state (`D` waits for a disk), and where in the kernel it waits.
    package var threads: String {
        FileSystem.names(in: "/proc/\(pid)/task").map { thread in
            let folder = "/proc/\(pid)/task/\(thread)"
            let name = FileSystem.text("\(folder)/comm").split(separator: "\n").first ?? "?"
            let state = FileSystem.text("\(folder)/stat").split(separator: ")").last?.dropFirst()
                .prefix(1)
            return "\(name) \(state ?? "?") \(FileSystem.text("\(folder)/wchan"))"
        }.joined(separator: "\n")
    }

    private func reap() -> ProcessEnding? {
        status.withLock { status in
            if let status { return status }
            var raw: Int32 = 0
            guard waitpid(pid, &raw, WNOHANG) == pid else { return nil }
            status = ProcessEnding(waitStatus: raw)
            ChildProcess.running.withLock { _ = $0.remove(pid) }
            return status
        }
    }

    private static func spawn(
        _ command: [String], _ variables: [String], _ actions: inout posix_spawn_file_actions_t
    ) throws(SystemFailure) -> pid_t {
        // strdup copies for the time of the call; posix_spawnp copies into the child.
        var arguments = command.map { strdup($0) } + [nil]
        var environment = variables.map { strdup($0) } + [nil]
        defer { for pointer in arguments + environment { free(pointer) } }
        // Threads of Swift's pool block most signals, and a child would inherit that: it could
        // never be asked to stop.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        var pid = pid_t()
        let code = posix_spawnp(&pid, command[0], &actions, &attributes, &arguments, &environment)
        guard code == 0 else {
            throw SystemFailure("cannot start \(command[0])", errno: code)
        }
        return pid
    }

    private static func inherited() -> [String] {
        (FileSystem.read("/proc/self/environ") ?? []).split(separator: 0)
            .map { String(decoding: $0, as: UTF8.self) }
            .filter { !$0.hasPrefix("MILLRACE_") }
    }
}
