package import Glibc
import Primitives

/// A program that a test started. Its output goes to files, so it never waits for a reader and
/// what it said outlives it. Whatever still runs when the last owner goes is killed.
package final class ChildProcess: Sendable {
    package let pid: pid_t
    /// Nil until the process has been waited for; a signal sent after that could hit a stranger.
    private let status = Locked<ProcessEnding?>(nil)

    /// - Parameters:
    ///   - command: the program, looked up on PATH if it has no slash, and its arguments.
    ///   - environment: added to this process's own, from which `MILLRACE_*` is taken away.
    ///   - output: the file that standard output is appended to.
    ///   - errors: the file that standard error is appended to; may be the same.
    package init(
        _ command: [String], environment: [String: String] = [:], output: String, errors: String
    ) throws {
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
        let variables = ChildProcess.inherited() + environment.map { "\($0.key)=\($0.value)" }
        pid = try ChildProcess.spawn(command, variables, &actions)
    }

    deinit { kill() }

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

    /// Waits for the end of the process; nil if it still runs after `limit`, sanitized a multiple.
    package func exit(within limit: Duration) -> ProcessEnding? {
        let deadline = Deadline.after(limit * slowness)
        while !deadline.hasPassed {
            if let status = reap() { return status }
            usleep(1000)
        }
        return reap()
    }

    private func reap() -> ProcessEnding? {
        status.withLock { status in
            if let status { return status }
            var raw: Int32 = 0
            if waitpid(pid, &raw, WNOHANG) == pid { status = ProcessEnding(waitStatus: raw) }
            return status
        }
    }

    private static func spawn(
        _ command: [String], _ variables: [String], _ actions: inout posix_spawn_file_actions_t
    ) throws -> pid_t {
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
            throw TestError("cannot start \(command[0])", errno: code)
        }
        return pid
    }

    private static func inherited() -> [String] {
        (FileSystem.read("/proc/self/environ") ?? []).split(separator: 0)
            .map { String(decoding: $0, as: UTF8.self) }
            .filter { !$0.hasPrefix("MILLRACE_") }
    }
}
