import Primitives

/// Why one record was refused. Codes are part of the contract; details say what would be right and
/// carry nothing of the input.
package enum LogFault: String, ItemFault, CaseIterable {
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

    package static let item = BodyItem.record

    /// One sentence for people.
    package var detail: String {
        switch self {
        case .tooLarge: "The record is larger than 1 MiB."
        case .missingMessage: "The record has no message."
        case .invalidTime: "time is an RFC 3339 time such as 2026-11-01T00:00:00Z, after 1970."
        case .tooFarInTheFuture: "time is more than a day ahead of this service's clock."
        case .invalidLevel: "level is a name such as warn, or a severity number from 1 to 24."
        case .invalidJSON, .invalidUTF8, .trailingContent, .numberOutOfRange, .tooDeep,
            .notAnObject, .duplicateKey:
            commonDetail
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
