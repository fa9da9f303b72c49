internal import Glibc
import Primitives
import TestSupport

/// Makes system calls of a running service fail, with strace.
final class FaultInjector: Sendable {
    private let process: ChildProcess
    private let output: String

    /// Whether this system lets a process trace another.
    static let isPossible: Bool = {
        guard let folder = try? TemporaryDirectory(),
            let trial = try? ChildProcess(
                ["strace", "-f", "-e", "trace=none", "true"], output: folder.file("out"),
                errors: folder.file("err"))
        else { return false }
        return trial.exit(within: .seconds(10)) == .exited(0)
    }()

    static let whyNot = "strace is not installed or may not trace"

    /// Returns once the calls fail.
    /// - Parameter rule: of strace's `inject`, such as `fdatasync:error=EIO:when=3+5`.
    init(_ service: RunningService, _ rule: String) throws {
        output = service.directory.file("strace")
        unlink(output)
        let calls = rule.prefix { $0 != ":" }
        process = try ChildProcess(
            [
                "strace", "-f", "-qq", "-p", "\(service.pid)", "-e", "trace=\(calls)",
                "-e", "inject=\(rule)", "-o", output,
            ], output: "/dev/null", errors: output + ".errors")
        let folder = "/proc/\(service.pid)/task"
        try service.wait(until: "every thread is traced", within: .seconds(20)) {
            guard process.isRunning else { throw TestError("strace ended") }
            return FaultInjector.isTraced(folder)
        }
    }

    /// How many calls failed so far.
    var injected: Int {
        let lines = FileSystem.text(output)
        return lines.split(separator: "\n").count { $0.contains("(INJECTED)") }
    }

    /// Lets the calls succeed again.
    func stop() throws {
        process.send(SIGINT)
        guard process.exit(within: .seconds(10)) != nil else { throw TestError("strace hangs") }
    }

    private static func isTraced(_ folder: String) -> Bool {
        let threads = FileSystem.names(in: folder)
        guard !threads.isEmpty else { return false }
        for name in threads {
            let status = FileSystem.text("\(folder)/\(name)/status")
            if status.contains("TracerPid:\t0\n") { return false }
        }
        return true
    }
}
