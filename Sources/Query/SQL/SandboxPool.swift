import Primitives
import SQLite
import Storage

/// The sandboxes of the service: opened when first needed, lent to one thread at a time. There are
/// as many as there are threads that run SQL at once, so nobody waits for one.
package final class SandboxPool: Sendable {
    private struct State {
        var idle: [SQLSandbox] = []
        var isClosed = false
    }

    private let path: String
    private let eventBytes: Int
    private let tables: SQLTables
    private let readers: ReaderPool
    private let state: Locked<State>

    /// The progress handler is asked so often: each instruction may be a function that takes up to
    /// a millisecond.
    private static let stepsBetweenLooks: Int32 = 100

    /// - Parameters:
    ///   - path: of the store's file.
    ///   - eventBytes: of the largest event.
    ///   - tables: what SQL reads beside the events.
    ///   - readers: told when a statement finds the file damaged.
    package init(path: String, eventBytes: Int, tables: SQLTables, readers: ReaderPool) {
        self.path = path
        self.eventBytes = eventBytes
        self.tables = tables
        self.readers = readers
        state = Locked(State())
    }

    /// Closes those that are idle, and the others as they come back.
    package func close() {
        let idle = state.withLock { state in
            state.isClosed = true
            defer { state.idle = [] }
            return state.idle
        }
        withExtendedLifetime(idle) {}
    }

    /// Lends a sandbox to `body`, in which all statements see one and the same snapshot, keep to the
    /// budget of the sandbox and end with `deadline`, or once `isCancelled` says so. On a thread with
    /// `Thread.deepStackBytes`.
    func withSandbox<Result>(
        until deadline: Deadline, isCancelled: (@Sendable () -> Bool)?,
        _ body: (SQLSandbox) throws(QueryError) -> Result
    ) throws(QueryError) -> Result {
        do throws(QueryError) {
            let sandbox = try take()
            defer { giveBack(sandbox) }
            let connection = sandbox.connection
            connection.restrict(to: nil)
            do throws(SQLiteError) { try connection.execute("BEGIN") } catch { throw .store(error) }
            connection.limit(
                until: deadline, isCancelled: isCancelled, every: SandboxPool.stepsBetweenLooks)
            return try connection.withBudget(sandbox.budget) { () throws(QueryError) in
                try body(sandbox)
            }
        } catch {
            if let cause = error.cause { readers.noteDamage(cause) }
            throw error
        }
    }

    private func take() throws(QueryError) -> SQLSandbox {
        let (idle, isClosed) = state.withLock { ($0.idle.popLast(), $0.isClosed) }
        if let idle { return idle }
        guard !isClosed else {
            throw QueryError(.unavailable, code: "store_unavailable", "the store is closed")
        }
        do throws(SQLiteError) {
            return try SQLSandbox(path: path, eventBytes: eventBytes, tables: tables)
        } catch { throw .store(error) }
    }

    private func giveBack(_ sandbox: SQLSandbox) {
        let connection = sandbox.connection
        connection.clearLimit()
        connection.resetStatements()
        connection.restrict(to: nil)
        // Ending a read transaction writes nothing, and there is nobody left to tell.
        if connection.isInTransaction { try? connection.execute("ROLLBACK") }
        state.withLock { if !$0.isClosed { $0.idle.append(sandbox) } }
    }
}

// One thread at a time has a sandbox: the pool's lock hands it over.
extension SQLSandbox: @unchecked Sendable {}
