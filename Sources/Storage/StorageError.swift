import SQLite

/// Why the store could not do what it was asked.
package struct StorageError: Error, CustomStringConvertible, Sendable {
    /// Stable: callers decide by it, and it is written to logs.
    package enum Code: String, Sendable {
        /// The disk or the quota is full. Nothing was kept; worth trying again later.
        case full
        /// The operating system failed to read or write, or refused access. Worth trying again.
        case inputOutput = "input_output"
        /// `fsync` failed: what was written since the last checkpoint may be missing on the disk,
        /// and a second `fsync` would lie about it. The store takes nothing until it is reopened.
        case syncFailed = "sync_failed"
        /// The file is not what SQLite wrote.
        case corrupt
        /// A later version of this program wrote the file.
        case newerSchema = "newer_schema"
        /// Some other program's database.
        case foreignFile = "foreign_file"
        /// Every reader was taken, or a lock was held, until the deadline.
        case busy
        /// Memory was short. Worth trying again.
        case outOfMemory = "out_of_memory"
        /// The deadline passed, or the caller went away, while a statement ran.
        case deadline
        /// The store has been closed.
        case closed
        /// This one row cannot be stored, whatever is tried; the transaction is still good.
        case rejected
        /// A mistake in this program: SQL that does not compile, and the like. It is bound to what
        /// was asked, so whoever asks again and again sets that aside.
        case misuse
    }

    package let code: Code
    package let message: String
    package let cause: SQLiteError?

    package init(_ code: Code, _ message: String, cause: SQLiteError? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    /// - Parameter subject: what it happened to, such as the file's path.
    package init(_ cause: SQLiteError, _ subject: String) {
        self.init(StorageError.code(for: cause), "\(subject): \(cause.message)", cause: cause)
    }

    package var description: String { "\(code.rawValue): \(message)" }

    /// The same batch may well succeed later, with nothing changed by hand but the disk.
    package var isRetryable: Bool {
        code == .full || code == .inputOutput || code == .busy || code == .outOfMemory
    }

    private static func code(for error: SQLiteError) -> Code {
        if error.isFull { return .full }
        if error.isSyncFailure { return .syncFailed }
        if error.isInputOutput || error.isReadOnly { return .inputOutput }
        if error.isCorrupt { return .corrupt }
        if error.isBusy { return .busy }
        if error.isOutOfMemory { return .outOfMemory }
        if error.isInterrupted { return .deadline }
        if error.isRefusedValue { return .rejected }
        return .misuse
    }
}

/// Runs `body` and says what its failure happened to.
func attempt<Result>(
    _ subject: @autoclosure () -> String, _ body: () throws(SQLiteError) -> Result
) throws(StorageError) -> Result {
    do { return try body() } catch { throw StorageError(error, subject()) }
}

/// Runs `body`, whose SQL is known to be right for any file that is whole: where it does not
/// compile or breaks a constraint, the file is damaged and not this program.
func examine<Result>(
    _ path: String, _ body: () throws(SQLiteError) -> Result
) throws(StorageError) -> Result {
    do throws(StorageError) { return try attempt(path, body) } catch {
        guard error.code == .misuse || error.code == .rejected else { throw error }
        throw StorageError(.corrupt, error.message, cause: error.cause)
    }
}
