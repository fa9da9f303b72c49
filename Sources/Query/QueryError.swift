import SQLite
import Storage

/// Why a query has no answer. Its text never repeats what the client sent.
package struct QueryError: Error, Sendable {
    /// What kind of answer the caller owes; only `Service` knows status codes.
    package enum Kind: Sendable {
        /// The request is malformed.
        case badRequest
        /// The caller lacks a scope.
        case forbidden
        /// Well-formed, but it asks for what is not offered.
        case unprocessable
        /// The deadline passed before the answer was there.
        case timeout
        /// The store cannot be read.
        case unavailable
        /// `cache=only`, and no tier holds the answer.
        case notCached
    }

    package let kind: Kind
    /// Stable, snake_case.
    package let code: String
    package let message: String
    /// The parameter that is wrong; nil when none is.
    package let parameter: String?
    /// What SQLite said, for the log.
    package let cause: SQLiteError?
    /// Byte of the statement where the mistake is; nil where nobody knows.
    package let offset: Int?

    package init(
        _ kind: Kind, code: String, _ message: String, parameter: String? = nil,
        cause: SQLiteError? = nil, offset: Int? = nil
    ) {
        self.kind = kind
        self.code = code
        self.message = message
        self.parameter = parameter
        self.cause = cause
        self.offset = offset
    }

    /// Memory that it takes up in a box of its own: its texts, each with some 48 bytes around it.
    var byteCount: Int {
        let texts = [code, message, parameter, cause?.message, cause?.sql].compactMap { $0 }
        return texts.reduce(MemoryLayout<QueryError>.size + 48) { $0 + $1.utf8.count + 48 }
    }

    /// A parameter has a value that it may not have; `rule` says what it may be and follows the
    /// parameter's name: "must be …".
    static func invalid(_ parameter: String, _ rule: String) -> QueryError {
        QueryError(
            .badRequest, code: "invalid_parameter", "\(parameter) \(rule)", parameter: parameter)
    }

    static func store(_ error: SQLiteError) -> QueryError {
        if error.isInterrupted { return .late(cause: error) }
        return QueryError(
            .unavailable, code: "store_unavailable", "the store could not answer", cause: error)
    }
}

extension QueryError {
    /// What kept a query from reading the store.
    package init(_ error: StorageError) {
        switch error.code {
        case .busy:
            self.init(.unavailable, code: "store_busy", "all readers of the store are busy")
        case .deadline: self = .late(cause: error.cause)
        default:
            self.init(
                .unavailable, code: "store_unavailable", "the store could not answer",
                cause: error.cause)
        }
    }

    static func late(cause: SQLiteError? = nil) -> QueryError {
        QueryError(
            .timeout, code: "query_timeout",
            "the query did not finish in time; a shorter range or fewer fields cost less",
            cause: cause)
    }
}
