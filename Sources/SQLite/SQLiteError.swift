internal import CSQLite
import Primitives

/// What SQLite refused: its result code, its message and the SQL, never the bound values.
package struct SQLiteError: Error, CustomStringConvertible, Sendable {
    /// The extended result code (sqlite.org/rescode.html).
    package let code: Int32
    package let message: String
    package let sql: String?
    /// Byte offset of the mistake in `sql`; nil when SQLite does not know it.
    package let offset: Int?
    /// What of its `StatementBudget` was used up, if that is why; nil otherwise.
    package let bound: StatementBudget.Bound?

    /// - Parameter bound: that was met last.
    package init(
        code: Int32, message: String, sql: String? = nil, offset: Int? = nil,
        bound: StatementBudget.Bound? = nil
    ) {
        self.code = code
        self.message = message
        self.sql = sql
        self.offset = offset
        let isFromBudget =
            switch bound {
            case .memory, .stack: SQLiteError.isOutOfMemory(code)
            case .files: code & 0xFF == SQLITE_FULL
            case .time: SQLiteError.isOutOfMemory(code) || code & 0xFF == SQLITE_INTERRUPT
            case nil: false
            }
        self.bound = isFromBudget ? bound : nil
    }

    private static func isOutOfMemory(_ code: Int32) -> Bool {
        // Where pages were to be read the operating system's part has no memory.
        code & 0xFF == SQLITE_NOMEM || code == SQLITE_IOERR | (12 << 8)
    }

    package var description: String { "SQLite error \(code): \(message)" }

    /// The primary result code: the low byte of `code`.
    package var primaryCode: Int32 { code & 0xFF }
    /// The disk or the quota is full.
    package var isFull: Bool {
        // The index of the write-ahead log could not grow (SQLITE_IOERR_SHMSIZE): no space either.
        primaryCode == SQLITE_FULL || code == SQLITE_IOERR | (19 << 8)
    }
    /// It was stopped: a deadline passed or the caller went away.
    package var isInterrupted: Bool { primaryCode == SQLITE_INTERRUPT || bound == .time }
    /// The file is not what SQLite wrote.
    package var isCorrupt: Bool { primaryCode == SQLITE_CORRUPT || primaryCode == SQLITE_NOTADB }
    /// The operating system failed to read or write.
    package var isInputOutput: Bool {
        primaryCode == SQLITE_IOERR && !isOutOfMemory || primaryCode == SQLITE_CANTOPEN
    }
    /// The operating system could not promise that what was written is on the disk.
    package var isSyncFailure: Bool {
        code == SQLITE_IOERR | (4 << 8) || code == SQLITE_IOERR | (5 << 8)
    }
    /// Somebody else holds a lock that is needed, for longer than the busy timeout, or was always
    /// first: to the locks of the write-ahead log (SQLITE_PROTOCOL), or with another change of the
    /// schema.
    package var isBusy: Bool {
        primaryCode == SQLITE_BUSY || primaryCode == SQLITE_LOCKED
            || primaryCode == SQLITE_PROTOCOL || primaryCode == SQLITE_SCHEMA
    }
    /// The authorizer does not permit what the statement names.
    package var isUnauthorized: Bool {
        primaryCode == SQLITE_AUTH || message.hasPrefix("not authorized")
    }
    /// Memory was short: bound to nothing that was asked.
    package var isOutOfMemory: Bool { SQLiteError.isOutOfMemory(code) }
    /// The file or its directory cannot be written with the rights of this process.
    package var isReadOnly: Bool {
        primaryCode == SQLITE_READONLY || primaryCode == SQLITE_PERM
    }
    /// The bound values are at fault, not the database: a constraint, a wrong type, or too long.
    package var isRefusedValue: Bool {
        primaryCode == SQLITE_CONSTRAINT || primaryCode == SQLITE_MISMATCH
            || primaryCode == SQLITE_TOOBIG
    }
}
