/// Why a body was refused as a whole; nothing of it is kept.
package struct BodyError: Error, Equatable, Sendable {
    package enum Code: String, CaseIterable, Sendable {
        case emptyBody = "empty_body"
        case invalidJSON = "invalid_json"
        case invalidUTF8 = "invalid_utf8"
        case trailingContent = "trailing_content"
        case notAnArray = "not_an_array"
        case notAnObject = "not_an_object"
        case tooManyEvents = "too_many_events"
    }

    package let reason: Code
    /// The byte of the body where the fault was found.
    package let offset: Int?
    /// The bound that was passed.
    package let limit: Int?
    /// The body was sent as one event a line.
    package let isLines: Bool

    package init(
        _ reason: Code, offset: Int? = nil, limit: Int? = nil, isLines: Bool = false
    ) {
        self.reason = reason
        self.offset = offset
        self.limit = limit
        self.isLines = isLines
    }

    /// Of events a line: what stands where a line should have ended.
    static let missingNewline =
        "Something follows the event on its line: a newline is missing. curl sends newlines with "
        + "--data-binary; -d leaves them out."

    package var code: String { reason.rawValue }

    /// One sentence for people; nothing of the input.
    package var detail: String {
        switch reason {
        case .emptyBody: "The body holds no event."
        case .invalidJSON: "The body is not valid JSON."
        case .invalidUTF8: "The body is not valid UTF-8."
        case .trailingContent where isLines: BodyError.missingNewline
        case .trailingContent:
            "Something follows the JSON text. One event a line is application/x-ndjson."
        case .notAnArray:
            "A batch of CloudEvents is a JSON array; one CloudEvent is application/cloudevents+json."
        case .notAnObject:
            "application/cloudevents+json is one CloudEvent; an array of them is "
                + "application/cloudevents-batch+json."
        case .tooManyEvents:
            limit.map { "The body holds more than \($0) events." }
                ?? "The body holds more events than the limit."
        }
    }
}
