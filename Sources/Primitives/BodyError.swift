/// What the items of a body are, as errors name them.
package enum BodyItem: String, Sendable {
    case event
    case record
}

/// Why a body of items was refused as a whole; nothing of it is kept.
package struct BodyError: Error, Equatable, Sendable {
    package enum Reason: Equatable, Sendable {
        case emptyBody
        case invalidJSON
        case invalidUTF8
        case trailingContent
        case notAnArray
        case notAnObject
        case tooManyItems
    }

    package let reason: Reason
    package let item: BodyItem
    /// The byte of the body where the fault was found.
    package let offset: Int?
    /// The bound that was passed.
    package let limit: Int?
    /// The body was sent as one item a line.
    package let isLines: Bool

    package init(
        _ reason: Reason, of item: BodyItem, offset: Int? = nil, limit: Int? = nil,
        isLines: Bool = false
    ) {
        self.reason = reason
        self.item = item
        self.offset = offset
        self.limit = limit
        self.isLines = isLines
    }

    /// Part of the contract.
    package var code: String {
        switch reason {
        case .emptyBody: "empty_body"
        case .invalidJSON: "invalid_json"
        case .invalidUTF8: "invalid_utf8"
        case .trailingContent: "trailing_content"
        case .notAnArray: "not_an_array"
        case .notAnObject: "not_an_object"
        case .tooManyItems: "too_many_\(item.rawValue)s"
        }
    }

    /// One sentence for people; nothing of the input.
    package var detail: String {
        switch reason {
        case .emptyBody: "The body holds no \(item.rawValue)."
        case .invalidJSON: "The body is not valid JSON."
        case .invalidUTF8: "The body is not valid UTF-8."
        case .trailingContent where isLines: BodyError.missingNewline(after: item)
        case .trailingContent:
            "Something follows the JSON text. One \(item.rawValue) a line is application/x-ndjson."
        case .notAnArray:
            "A batch of CloudEvents is a JSON array; one CloudEvent is application/cloudevents+json."
        case .notAnObject:
            "application/cloudevents+json is one CloudEvent; an array of them is "
                + "application/cloudevents-batch+json."
        case .tooManyItems: "The body holds more than \(limit ?? 0) \(item.rawValue)s."
        }
    }

    /// Of one item a line: what stands where a line should have ended.
    static func missingNewline(after item: BodyItem) -> String {
        "Something follows the \(item.rawValue) on its line: a newline is missing. curl sends "
            + "newlines with --data-binary; -d leaves them out."
    }
}
