import Glibc
import Primitives
import TestSupport

/// The built program, run as a user would run it. `MILLRACE_*` of the tests' own environment does
/// not reach it.
final class Program: Sendable {
    private let pid: pid_t
    private let output: TemporaryFile
    private let errors: TemporaryFile

    init(_ arguments: [String], environment: [String] = []) throws {
        output = try TemporaryFile("")
        errors = try TemporaryFile("")
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output.path, O_WRONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 2, errors.path, O_WRONLY, 0)
        // Threads of Swift's pool block signals, and a child would inherit that.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        let path = Program.path
        var words = ([path] + arguments).map { strdup($0) } + [nil]
        var variables = (["PATH=/usr/bin:/bin"] + environment).map { strdup($0) } + [nil]
        defer { for pointer in words + variables { free(pointer) } }
        var pid = pid_t()
        let code = posix_spawn(&pid, path, &actions, &attributes, &words, &variables)
        guard code == 0 else { throw NotStarted(path: path, code: code) }
        self.pid = pid
    }

    struct NotStarted: Error {
        let path: String
        let code: Int32
    }

    /// What it has written to standard output so far.
    var outputText: String { FileSystem.text(output.path) }
    var errorText: String { FileSystem.text(errors.path) }

    func terminate() { kill(pid, SIGTERM) }

    /// Waits for its end; kills it and returns nil after ten seconds, or if a signal ended it.
    func exitCode() -> Int32? {
        var status: Int32 = 0
        let deadline = Deadline.after(.seconds(10))
        while waitpid(pid, &status, WNOHANG) == 0 {
            if deadline.hasPassed {
                kill(pid, SIGKILL)
                waitpid(pid, &status, 0)
                return nil
            }
            usleep(1000)
        }
        return status & 0x7F == 0 ? (status >> 8) & 0xFF : nil
    }

    /// The program is built into the folder of the test runner.
    private static var path: String {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/self/exe", &buffer, buffer.count)
        let runner = String(
            decoding: buffer.prefix(max(0, count)).map(UInt8.init(bitPattern:)), as: UTF8.self)
        return runner.prefix(upTo: runner.lastIndex(of: "/") ?? runner.endIndex) + "/millrace"
    }
}
