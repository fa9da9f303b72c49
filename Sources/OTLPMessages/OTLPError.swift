import Primitives

/// Why bytes are not the message that was asked for. Carries nothing of the input.
package enum OTLPError: Error, Equatable, Sendable {
    /// A field ends beyond the bytes, or a number does not end.
    case truncated
    /// Something that is no field of Protocol Buffers: a wire type or field number that cannot be.
    case malformed
    /// Values lie deeper in one another than `OTLPLimits.depth`.
    case tooDeep
    /// More records than `OTLPLimits.records`.
    case tooManyRecords
    /// A record, or the resource or scope that it belongs to, is larger than
    /// `OTLPLimits.recordBytes`.
    case tooLarge
    /// The body is no JSON text.
    case json(JSONError)
    /// JSON, but a known member has a value of another kind.
    case wrongType

    /// One sentence for people.
    package var message: String {
        switch self {
        case .truncated: "The body ends within a field."
        case .malformed: "The body is not a Protocol Buffers message."
        case .tooDeep: "A value is nested deeper than \(OTLPLimits.depth) levels."
        case .tooManyRecords: "There are more records in the body than are taken at once."
        case .tooLarge: "A record, or its resource or scope, is larger than is read."
        case .json(let error): "\(error.message)"
        case .wrongType: "A member of the JSON text has a value of another type than OTLP says."
        }
    }
}

/// The bounds of what is read.
package struct OTLPLimits: Sendable {
    /// Records in one body.
    package var records = 100_000
    /// Of one record as it was sent, and of a resource or scope: parsing JSON takes some 50 times as
    /// much memory.
    package var recordBytes = 1 << 20

    package init() {}

    /// Levels of arrays and maps in a value; a value that is neither has none.
    static let depth = 32
    /// Levels of JSON: each level of a value is four of JSON (`value`, `kvlistValue`, `values`, the
    /// element), and eight lie around an attribute.
    static let jsonDepth = depth * 4 + 16
    /// What a reader keeps of a buffer, and the largest text whose parser it keeps: 13 times that.
    static let keptBytes = 64 << 10
}
