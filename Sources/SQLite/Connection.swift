internal import CSQLite
internal import CSQLiteBudget
import Primitives

/// One SQLite connection. Used by one thread at a time; a connection that is shared needs a lock.
///
/// SQLite 3.7.0 to 3.51.2 can corrupt a write-ahead log when two connections write or checkpoint at
/// the same moment, so exactly one connection of one process is opened `.writer`; readers cannot
/// write and never checkpoint, not even when they close.
package final class Connection: @unchecked Sendable {  // Its owner's thread or lock.
    package enum Role: Sendable { case writer, reader }

    let handle: OpaquePointer
    /// Frames in the write-ahead log after the last commit of this connection.
    package internal(set) var logFrames = 0
    private var statements: [String: Statement] = [:]
    /// Until when statements may run, see `limit`.
    package private(set) var deadline = Deadline.never
    private var isCancelled: (() -> Bool)?
    /// What its statements may touch; nil for everything.
    var accessRules: AccessRules?
    /// A statement of this program's own is compiled, which the rules do not bind.
    var isTrusted = false
    /// What `accessRules` refused in the statement compiled last, a table or a function, in lower
    /// case; nil for nothing.
    package internal(set) var refusedName: String?

    static let busyTimeoutMilliseconds: Int32 = 5000

    /// Takes effect only before the first connection of the process.
    private static let configureLibrary: Void = {
        let code = millrace_sqlite_install()
        precondition(code == SQLITE_OK, "SQLite takes no allocator: it runs already (\(code))")
    }()

    /// Statements kept prepared, the most a room uses by far.
    private static let statementCacheLimit = 64

    /// Opens the database file at `path`, which a `.writer` creates if it is missing.
    /// The corresponding C function is `sqlite3_open_v2`.
    package init(path: String, role: Role, cacheKiB: Int = 2048) throws(SQLiteError) {
        Connection.configureLibrary
        var opened: OpaquePointer?
        let access =
            role == .writer ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY
        // Readers sort what others ask for: their temporary files count towards a `StatementBudget`.
        let files = role == .reader ? millrace_sqlite_files() : nil
        let code = sqlite3_open_v2(path, &opened, access | SQLITE_OPEN_NOMUTEX, files)
        guard let opened else { throw SQLiteError(code: code, message: "out of memory") }
        guard code == SQLITE_OK else {
            let message = String(cString: sqlite3_errmsg(opened))
            sqlite3_close_v2(opened)
            throw SQLiteError(code: code, message: message)
        }
        handle = opened
        sqlite3_extended_result_codes(opened, 1)
        sqlite3_busy_timeout(opened, Connection.busyTimeoutMilliseconds)
        _ = millrace_db_config_flag(opened, SQLITE_DBCONFIG_DEFENSIVE, 1)
        _ = millrace_db_config_flag(opened, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
        _ = millrace_db_config_flag(opened, SQLITE_DBCONFIG_DQS_DML, 0)
        _ = millrace_db_config_flag(opened, SQLITE_DBCONFIG_DQS_DDL, 0)
        if role == .reader {
            _ = millrace_db_config_flag(opened, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            try execute("PRAGMA query_only = 1")
        }
        try execute("PRAGMA cache_size = -\(cacheKiB)")
        if role == .writer { try takeOverCheckpoints() }
    }

    deinit {
        statements.removeAll()
        sqlite3_close_v2(handle)
    }

    /// Runs statements that return no rows. The corresponding C function is `sqlite3_exec`.
    package func execute(_ sql: String) throws(SQLiteError) {
        guard sqlite3_exec(handle, sql, nil, nil, nil) == SQLITE_OK else { throw error(sql) }
    }

    /// A prepared statement, kept for the next time the same SQL is asked for. It is reset and its
    /// parameters are cleared. One use at a time.
    package func cached(_ sql: String) throws(SQLiteError) -> Statement {
        if let statement = statements[sql] {
            statement.reset()
            return statement
        }
        if statements.count >= Connection.statementCacheLimit { statements.removeAll() }
        let statement = try prepare(sql)
        statements[sql] = statement
        return statement
    }

    /// Compiles the one statement in `sql`; comments may follow it, and nothing else.
    /// The corresponding C function is `sqlite3_prepare_v3`.
    package func prepare(_ sql: String) throws(SQLiteError) -> Statement {
        var prepared: OpaquePointer?
        var trailing: Int?
        var text = sql
        let code = text.withUTF8 { bytes -> Int32 in
            bytes.withMemoryRebound(to: CChar.self) { characters in
                var end = 0
                let code = compile(characters, &end, &prepared)
                if code == SQLITE_OK, prepared != nil { trailing = statement(in: characters, end) }
                return code
            }
        }
        guard code == SQLITE_OK else { throw error(sql) }
        guard let prepared else {
            throw SQLiteError(code: SQLITE_MISUSE, message: "there is no statement", sql: sql)
        }
        if let trailing {
            sqlite3_finalize(prepared)
            throw SQLiteError(
                code: SQLITE_MISUSE, message: "only one statement", sql: sql, offset: trailing)
        }
        return Statement(prepared, connection: self)
    }

    /// Compiles the statement that begins at `place`, and moves `place` to its end.
    /// - Parameter prepared: nil if there are only comments and space up to there.
    private func compile(
        _ text: UnsafeBufferPointer<CChar>, _ place: inout Int, _ prepared: inout OpaquePointer?
    ) -> Int32 {
        guard let start = text.baseAddress else { return SQLITE_OK }
        var tail: UnsafePointer<CChar>?
        let code = sqlite3_prepare_v3(
            handle, start + place, Int32(text.count - place), UInt32(SQLITE_PREPARE_PERSISTENT),
            &prepared, &tail)
        place = tail.map { $0 - start } ?? text.count
        return code
    }

    /// Where from `place` on anything stands that is no comment: SQLite itself says so, by finding a
    /// statement or a mistake in it.
    private func statement(in text: UnsafeBufferPointer<CChar>, _ place: Int) -> Int? {
        var place = place
        while place < text.count {
            let space = text[place...].prefix {
                $0 == 0x20 || (0x09...0x0D).contains($0) || $0 == CChar(UInt8(ascii: ";"))
            }
            let start = space.endIndex
            guard start < text.count else { return nil }
            place = start
            var other: OpaquePointer?
            let code = compile(text, &place, &other)
            sqlite3_finalize(other)
            if code != SQLITE_OK || other != nil || place <= start { return start }
        }
        return nil
    }

    /// Runs `body` in one transaction that takes the write lock at once; rolls back if it throws.
    package func transaction<Result, Failure: Error>(
        _ body: () throws(Failure) -> Result, mapping: (SQLiteError) -> Failure
    ) throws(Failure) -> Result {
        do { try execute("BEGIN IMMEDIATE") } catch { throw mapping(error) }
        do throws(Failure) {
            let result = try body()
            do { try execute("COMMIT") } catch { throw mapping(error) }
            return result
        } catch {
            // The error that matters is the first one; a failed COMMIT may already have rolled back.
            if sqlite3_get_autocommit(handle) == 0 { try? execute("ROLLBACK") }
            throw error
        }
    }

    package func transaction<Result>(
        _ body: () throws(SQLiteError) -> Result
    ) throws(SQLiteError) -> Result {
        try transaction(body, mapping: { $0 })
    }

    /// Rows changed by the last INSERT, UPDATE or DELETE.
    package var changes: Int { Int(sqlite3_changes64(handle)) }
    package var lastInsertRowID: Int64 { sqlite3_last_insert_rowid(handle) }

    /// Until `clearLimit`, statements end with `isInterrupted` once `deadline` has passed or
    /// `isCancelled` says so.
    /// - Parameter steps: of the virtual machine, after which that is asked again.
    package func limit(
        until deadline: Deadline, isCancelled: (() -> Bool)? = nil, every steps: Int32 = 4000
    ) {
        self.deadline = deadline
        self.isCancelled = isCancelled
        let context = Unmanaged.passUnretained(self).toOpaque()
        sqlite3_progress_handler(handle, steps, progress, context)
    }

    package func clearLimit() {
        sqlite3_progress_handler(handle, 0, nil, nil)
        deadline = .never
        isCancelled = nil
    }

    /// Whether pages of the file are read where the system has them in memory, which saves a call of the
    /// system and a copy for each (sqlite.org/mmap.html). A page that the disk cannot read then ends the
    /// process with SIGBUS, so only long scans do it. Between statements.
    package func mapsFile(_ isMapped: Bool) throws(SQLiteError) {
        try execute("PRAGMA mmap_size = \(isMapped ? Connection.mappedLimitBytes : 0)")
    }

    /// The most that SQLite maps (SQLITE_MAX_MMAP_SIZE); what lies beyond it is read as ever.
    private static let mappedLimitBytes = 0x7FFF_0000

    /// Has statements of `other` end when those of this connection would.
    package func shareLimit(with other: Connection) {
        other.limit(until: deadline, isCancelled: isCancelled)
    }

    /// The deadline has passed, or nobody waits any more.
    var shouldStop: Bool { deadline.hasPassed || isCancelled?() == true }

    func error(_ sql: String?) -> SQLiteError {
        let offset = Int(sqlite3_error_offset(handle))
        return SQLiteError(
            code: sqlite3_extended_errcode(handle),
            message: String(cString: sqlite3_errmsg(handle)), sql: sql,
            offset: offset >= 0 ? offset : nil, bound: StatementBudget.boundMet)
    }
}

private func progress(_ context: UnsafeMutableRawPointer?) -> Int32 {
    guard let context else { return 0 }
    return Unmanaged<Connection>.fromOpaque(context).takeUnretainedValue().shouldStop ? 1 : 0
}
