import Primitives
import SQLite

/// The connections that answer questions: read-only, opened when first needed, lent to one thread
/// at a time.
package final class ReaderPool: Sendable {
    private struct State {
        var idle: [Connection] = []
        var opened = 0
        var isClosed = false
    }

    private enum Lease {
        case connection(Connection)
        case mayOpen
        case closed
    }

    private let path: String
    private let damage: DamageMarker
    private let limit: Int
    private let spared: Int
    private let cacheKiB: Int
    private let state = Monitor(State())

    /// - Parameters:
    ///   - limit: connections, and so questions at the same time.
    ///   - spared: connections that are not lent to helpers, so that a question that comes meanwhile
    ///     finds one.
    ///   - cacheKiB: page cache of each; it grows to this only when it is used.
    init(path: String, damage: DamageMarker, limit: Int, spared: Int = 0, cacheKiB: Int) {
        self.path = path
        self.damage = damage
        self.limit = limit
        self.spared = spared
        self.cacheKiB = cacheKiB
    }

    /// Lends a connection to `body`, in which all statements see one and the same snapshot.
    ///
    /// Waits for a free connection, so never on an event loop. Statements end with `deadline`
    /// once the deadline has passed or `isCancelled` says so. A snapshot that is held for long
    /// keeps the write-ahead log from shrinking: have a deadline.
    /// - Parameter isHelper: it only makes another question quicker, and leaves the spared ones.
    /// - Throws: `busy` if none became free in time; `closed`; what `body` throws.
    package func withReader<Result, Failure: Error>(
        until deadline: Deadline, isCancelled: (() -> Bool)? = nil, isHelper: Bool = false,
        mapping: (StorageError) -> Failure,
        _ body: (Connection) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let connection: Connection
        do { connection = try take(until: deadline, leaving: isHelper ? spared : 0) } catch {
            throw mapping(error)
        }
        defer { giveBack(connection) }
        connection.limit(until: deadline, isCancelled: isCancelled)
        do {
            try attempt(path) { () throws(SQLiteError) in try connection.execute("BEGIN") }
        } catch { throw mapping(error) }
        return try body(connection)
    }

    /// As above, for callers who use this room's error.
    package func withReader<Result>(
        until deadline: Deadline, isCancelled: (() -> Bool)? = nil,
        _ body: (Connection) throws(SQLiteError) -> Result
    ) throws(StorageError) -> Result {
        try withReader(until: deadline, isCancelled: isCancelled, mapping: { $0 }) {
            (connection) throws(StorageError) in
            do throws(SQLiteError) { return try body(connection) } catch {
                noteDamage(error)
                throw StorageError(error, path)
            }
        }
    }

    /// Leaves a note for the next start if `error` says that the file is damaged. `withReader` with
    /// this room's error does it by itself.
    package func noteDamage(_ error: SQLiteError) {
        if error.isCorrupt { damage.mark() }
    }

    /// Lets nobody in any more; connections close as they come back.
    func close() {
        state.change { state in
            state.isClosed = true
            state.opened -= state.idle.count
            state.idle = []
        }
    }

    /// Waits until every connection has come back and closed.
    /// - Returns: false if `deadline` passed first.
    func drain(until deadline: Deadline) -> Bool {
        state.wait(until: deadline, for: { $0.opened == 0 }, then: { _ in true }) ?? false
    }

    private func take(
        until deadline: Deadline, leaving spared: Int
    ) throws(StorageError) -> Connection {
        let lease = state.wait(
            until: deadline,
            for: { $0.isClosed || $0.opened - $0.idle.count + spared < self.limit },
            then: { state -> Lease in
                if state.isClosed { return .closed }
                if let connection = state.idle.popLast() { return .connection(connection) }
                state.opened += 1
                return .mayOpen
            })
        switch lease {
        case .connection(let connection): return connection
        case .closed: throw StorageError(.closed, "the store is closed")
        case nil: throw StorageError(.busy, "all \(limit) readers are busy")
        case .mayOpen:
            do throws(StorageError) {
                return try attempt(path) { () throws(SQLiteError) in
                    try Connection(path: path, role: .reader, cacheKiB: cacheKiB)
                }
            } catch {
                state.change { $0.opened -= 1 }
                throw error
            }
        }
    }

    private func giveBack(_ connection: Connection) {
        connection.clearLimit()
        connection.resetStatements()
        // Ending a read transaction writes nothing, and there is nobody left to tell.
        if connection.isInTransaction { try? connection.execute("ROLLBACK") }
        state.change { state in
            if state.isClosed { state.opened -= 1 } else { state.idle.append(connection) }
        }
    }
}
