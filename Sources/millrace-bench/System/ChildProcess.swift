internal import Glibc
import Primitives

/// A program that the benchmarks started. Its output goes to a file, so it never waits for a
/// reader. It has an environment of its own, empty, so that nobody's settings change the figures.
/// Whatever still runs when the last owner goes is killed.
final class ChildProcess: Sendable {
    /// Every one that runs, for an end in between.
    private static let running = Locked<Set<pid_t>>([])

    let pid: pid_t
    /// What `waitpid` said; nil until then. A signal sent after that could hit a stranger.
    private let status = Locked<Int32?>(nil)

    /// - Parameters:
    ///   - command: the program, looked up on PATH if it has no slash, and its arguments.
    ///   - output: the file that takes both of its outputs; what it held is gone.
    init(_ command: [String], output: String) throws(BenchFailure) {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        let access = O_WRONLY | O_CREAT | O_TRUNC | O_APPEND
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output, access, 0o600)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        // strdup copies for the time of the call; posix_spawnp copies into the child.
        var arguments = command.map { strdup($0) } + [nil]
        defer { for pointer in arguments { free(pointer) } }
        var environment: [UnsafeMutablePointer<CChar>?] = [nil]
        // The signals that this program waits for are blocked here, and a child would inherit it.
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
            throw BenchFailure("cannot start \(command[0]): \(String(cString: strerror(code)))")
        }
        self.pid = pid
        ChildProcess.running.withLock { _ = $0.insert(pid) }
    }

    deinit {
        send(SIGKILL)
        _ = exitCode(within: .seconds(10))
    }

    /// Kills whatever runs. The process is about to end, so nobody waits for them.
    static func killAll() {
        running.withLock { pids in
            for pid in pids { kill(pid, SIGKILL) }
        }
    }

    var isRunning: Bool { reap() == nil }

    /// Sends `signal`, unless the process has ended.
    func send(_ signal: Int32) {
        status.withLock { status in
            if status == nil { _ = kill(pid, signal) }
        }
    }

    /// Waits for the end of the process.
    /// - Returns: its exit code, 128 and the signal if one ended it; nil if it still runs after
    ///   `limit`.
    func exitCode(within limit: Duration) -> Int32? {
        let deadline = Deadline.after(limit)
        while true {
            if let raw = reap() {
                let signal = raw & 0x7F
                return signal == 0 ? (raw >> 8) & 0xFF : 128 + signal
            }
            if deadline.hasPassed { return nil }
            sleep(until: .after(.milliseconds(1)))
        }
    }

    /// Memory in use, in bytes: `VmRSS`.
    var residentBytes: Int {
        let lines = TextFile.read("/proc/\(pid)/status").split(separator: "\n")
        let line = lines.first { $0.hasPrefix("VmRSS:") } ?? ""
        return (line.split { $0 == " " || $0 == "\t" }.dropFirst().first.flatMap { Int($0) } ?? 0)
            << 10
    }

    private func reap() -> Int32? {
        status.withLock { status in
            if let status { return status }
            var raw: Int32 = 0
            guard waitpid(pid, &raw, WNOHANG) == pid else { return nil }
            status = raw
            ChildProcess.running.withLock { _ = $0.remove(pid) }
            return raw
        }
    }
}
