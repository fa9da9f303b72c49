internal import Glibc

/// What the journal could not do, in one type for the whole of it.
package struct JournalError: Error, CustomStringConvertible, Sendable {
    package enum Code: String, Sendable {
        /// The options contradict themselves.
        case invalidOptions
        /// Another process has the data directory open.
        case locked
        /// The operating system refused to read.
        case unreadable
        /// The operating system refused to write.
        case unwritable
        case closed
    }

    package let code: Code
    package let message: String
    /// The `errno` behind it; 0 when there was none.
    package let cause: Int32

    package init(_ code: Code, _ message: String, cause: Int32 = 0) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    package var description: String { message }

    /// Disk or quota is full.
    package var isFull: Bool { JournalError.isFull(cause) }

    static func isFull(_ cause: Int32) -> Bool { cause == ENOSPC || cause == EDQUOT }

    /// The funnel from a C call's `errno` to an error.
    static func system(
        _ code: Code, _ call: StaticString, _ path: String, _ cause: Int32
    ) -> JournalError {
        let reason = String(cString: strerror(cause))
        return JournalError(code, "\(call) \(path): \(reason)", cause: cause)
    }
}
