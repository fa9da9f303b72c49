internal import Glibc
import Primitives
import TestSupport

/// Another process that holds the store's write lock, so that events stay in the journal.
final class StoreBlocker: Sendable {
    private let process: ChildProcess

    init(_ service: RunningService) throws {
        let output = service.directory.file("blocker")
        unlink(output)
        let script = """
            import sqlite3, sys, time
            store = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)
            store.execute("BEGIN IMMEDIATE")
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
