import TestSupport

/// The built program, run as a user would run it. `MILLRACE_*` of the tests' own environment does
/// not reach it.
final class Program: Sendable {
    private let directory: TemporaryDirectory
    private let process: ChildProcess

    init(_ arguments: [String], environment: [String: String] = [:]) throws {
        directory = try TemporaryDirectory()
        process = try ChildProcess(
            [BuildFolder.program("millrace")] + arguments, environment: environment,
            output: directory.file("output"), errors: directory.file("errors"))
    }

    // Before the folder that it writes to goes.
    deinit { process.kill() }

    /// What it has written to standard output so far.
    var outputText: String { FileSystem.text(directory.file("output")) }
    var errorText: String { FileSystem.text(directory.file("errors")) }

    /// Waits for its end; kills it and returns nil after ten seconds (sanitized: more), or if a signal
    /// ended it.
    func exitCode() -> Int32? {
        let end = process.exit(within: .seconds(60)) ?? process.kill()
        guard case .exited(let code) = end else { return nil }
        return code
    }
}
