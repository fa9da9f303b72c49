internal import Glibc
import Primitives
import TestSupport

/// Another process that holds the store's write lock, so that events stay in the journal, or reads
/// it, so that commits from now on stay in its log.
final class StoreBlocker: Sendable {
    enum Hold: String { case writing = "BEGIN IMMEDIATE", reading = "BEGIN" }

    private let process: ChildProcess

    init(_ service: RunningService, _ hold: Hold = .writing) throws {
        let output = service.directory.file("blocker")
        unlink(output)
        let script = """
            import sqlite3, sys, time
            store = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)
            store.execute("\(hold.rawValue)")
            store.execute("SELECT count(*) FROM meta").fetchall()
            print("held", flush=True)
            time.sleep(600)
            """
        process = try ChildProcess(
            ["python3", "-c", script, service.dataDirectory + "/store.db"], output: output,
            errors: output)
        try service.wait(until: "the store is locked") {
            let said = FileSystem.text(output)
            guard process.isRunning else { throw TestError("the blocker ended: \(said)") }
            return said.hasPrefix("held")
        }
    }

    /// Lets the store go.
    func release() { process.kill() }
}
