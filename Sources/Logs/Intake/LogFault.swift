import Primitives

/// Why one record was refused. Codes are part of the contract; details say what would be right and
/// carry nothing of the input.
package enum LogFault: String, Error, CaseIterable, Sendable {
    case invalidJSON = "invalid_json"
    case invalidUTF8 = "invalid_utf8"
    case trailingContent = "trailing_content"
    case numberOutOfRange = "number_out_of_range"
    case tooDeep = "too_deep"
    case tooLarge = "too_large"
    case notAnObject = "not_an_object"
    case duplicateKey = "duplicate_key"
    case missingMessage = "missing_message"
    case invalidTime = "invalid_time"
    case tooFarInTheFuture = "too_far_in_the_future"
    case invalidLevel = "invalid_level"

    package var code: String { rawValue }

    /// One sentence for people.
    package var detail: String {
        switch self {
        case .invalidJSON: "The record is not valid JSON."
        case .invalidUTF8: "The record is not valid UTF-8."
        case .trailingContent:
            "Something follows the record on its line: a newline is missing. curl sends newlines "
                + "with --data-binary; -d leaves them out."
        case .numberOutOfRange: "A number is beyond what a double holds."
        case .tooDeep: "The record is nested deeper than the limit."
        case .tooLarge: "The record is larger than 4 GiB."
        case .notAnObject: "A record is a JSON object; an array of records is a body of its own."
        case .duplicateKey: "A member name occurs twice."
        case .missingMessage: "The record has no message."
        case .invalidTime: "time is an RFC 3339 time such as 2026-11-01T00:00:00Z, after 1970."
        case .tooFarInTheFuture: "time is more than a day ahead of this service's clock."
        case .invalidLevel: "level is a name such as warn, or a severity number from 1 to 24."
        }
    }

    /// The bytes are no JSON text at all, so a body that has nothing else is refused as a whole.
    var isNotJSON: Bool {
        switch self {
        case .invalidJSON, .invalidUTF8, .trailingContent: true
        default: false
        }
    }

    init(_ error: JSONError) {
        switch error {
        case .empty, .invalid: self = .invalidJSON
        case .notUTF8: self = .invalidUTF8
        case .tooDeep: self = .tooDeep
        case .numberOutOfRange: self = .numberOutOfRange
        case .tooLarge: self = .tooLarge
        case .notObject: self = .notAnObject
        case .trailingContent: self = .trailingContent
        }
    }
}

/// A record that was refused while others of its body may be taken.
package struct RejectedLog: Sendable {
    /// Its place among the records of the body, from 0.
    package let index: Int
    package let fault: LogFault
    /// Of the body, from 1; nil where a record need not be a line.
    package let line: Int?
}

/// Why a body was refused as a whole; nothing of it is kept.
package struct LogBodyError: Error, Equatable, Sendable {
    package enum Code: String, CaseIterable, Sendable {
        case emptyBody = "empty_body"
        case invalidJSON = "invalid_json"
        case invalidUTF8 = "invalid_utf8"
        case trailingContent = "trailing_content"
        case tooManyRecords = "too_many_records"
    }

    package let reason: Code
    /// The byte of the body where the fault was found.
    package var offset: Int?
    /// The bound that was passed.
    package var limit: Int?

    package var code: String { reason.rawValue }

    /// One sentence for people; nothing of the input.
    package var detail: String {
        switch reason {
        case .emptyBody: "The body holds no record."
        case .invalidJSON: "The body is not valid JSON."
        case .invalidUTF8: "The body is not valid UTF-8."
        case .trailingContent:
            "Something follows the JSON text. One record a line is application/x-ndjson."
        case .tooManyRecords: "The body holds more than \(limit ?? 0) records."
        }
    }
}
