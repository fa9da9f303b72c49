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

    package init(code: Int32, message: String, sql: String? = nil, offset: Int? = nil) {
        self.code = code
        self.message = message
        self.sql = sql
        self.offset = offset
    }

    package var description: String { "SQLite error \(code): \(message)" }

    /// The primary result code: the low byte of `code`.
    package var primaryCode: Int32 { code & 0xFF }
    /// The disk or the quota is full.
    package var isFull: Bool { primaryCode == SQLITE_FULL }
    /// The progress handler stopped it: a deadline passed or the caller went away.
    package var isInterrupted: Bool { primaryCode == SQLITE_INTERRUPT }
    /// The file is not what SQLite wrote.
    package var isCorrupt: Bool { primaryCode == SQLITE_CORRUPT || primaryCode == SQLITE_NOTADB }
    /// The operating system failed to read or write.
    package var isInputOutput: Bool {
        primaryCode == SQLITE_IOERR || primaryCode == SQLITE_CANTOPEN
    }
}
