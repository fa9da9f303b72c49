import Primitives

/// Why one event was refused. Codes are part of the contract; details say what would be right and
/// carry nothing of the input.
package enum EventFault: String, ItemFault, CaseIterable {
    case invalidJSON = "invalid_json"
    case invalidUTF8 = "invalid_utf8"
    case trailingContent = "trailing_content"
    case numberOutOfRange = "number_out_of_range"
    case tooDeep = "too_deep"
    case eventTooLarge = "event_too_large"
    case notAnObject = "not_an_object"
    case duplicateKey = "duplicate_key"
    case duplicateHeader = "duplicate_header"
    case missingType = "missing_type"
    case missingID = "missing_id"
    case missingSource = "missing_source"
    case unsupportedSpecversion = "unsupported_specversion"
    case invalidType = "invalid_type"
    case typeNotAllowed = "type_not_allowed"
    case invalidID = "invalid_id"
    case invalidSource = "invalid_source"
    case invalidSubject = "invalid_subject"
    case invalidTime = "invalid_time"
    case invalidAttribute = "invalid_attribute"
    case invalidExtension = "invalid_extension"
    case invalidData = "invalid_data"

    package static let item = BodyItem.event
    package static var tooLarge: EventFault { .eventTooLarge }

    /// One sentence for people.
    package var detail: String {
        switch self {
        case .invalidUTF8: "The event, or a header that is part of it, is not valid UTF-8."
        case .duplicateHeader: "A ce- header occurs twice."
        case .missingType: "The event has no type."
        case .missingID: "A CloudEvent needs an id."
        case .missingSource: "A CloudEvent needs a source."
        case .unsupportedSpecversion: "A CloudEvent needs the specversion \"1.0\"."
        case .invalidType: "type is a string of 1 to 255 bytes without control characters."
        case .typeNotAllowed: "The key is bound to other types."
        case .invalidID: "id is a string of 1 to 255 bytes without control characters."
        case .invalidSource: "source is a string of 1 to 1024 bytes without control characters."
        case .invalidSubject:
            "subject is a string of 1 to 1024 bytes without control characters."
        case .invalidTime: "time is an RFC 3339 time such as 2026-11-01T00:00:00Z."
        case .invalidAttribute:
            "datacontenttype and dataschema are text; ce-data and ce-datacontenttype are no headers."
        case .invalidExtension:
            "Members beside data are CloudEvents extensions: names of a-z and 0-9; text without "
                + "control characters, true, false, or an integer of 32 bits. Others go into data."
        case .invalidData:
            "data is JSON of its content type; data_base64 is base64 and stands without data."
        case .invalidJSON, .trailingContent, .numberOutOfRange, .tooDeep, .eventTooLarge,
            .notAnObject, .duplicateKey:
            commonDetail
        }
    }

    /// The bound that was passed, for faults that are about one.
    func limit(within limits: EventLimits) -> Int? {
        switch self {
        case .tooDeep: limits.jsonDepth
        case .eventTooLarge: limits.eventBytes
        default: nil
        }
    }

    /// `detail`, with the bound where there is one.
    func detail(within limits: EventLimits) -> String {
        switch self {
        case .tooDeep: "The event is nested deeper than \(limits.jsonDepth) levels."
        case .eventTooLarge: "The event is larger than \(limits.eventBytes) bytes."
        default: detail
        }
    }
}

/// An event that was refused while others of its body may be taken.
package struct RejectedEvent {
    /// Its place among the events of the body, from 0.
    package let index: Int
    package let fault: EventFault
    /// Of the body, from 1; nil where an event need not be a line.
    package let line: Int?
    /// What it was held against.
    package let limits: EventLimits
    /// What was sent, borrowed for the call: for quarantine, never for an answer or a log.
    package let raw: UnsafeRawBufferPointer

    package var code: String { fault.code }
    package var detail: String { fault.detail(within: limits) }
    package var limit: Int? { fault.limit(within: limits) }
}
