/// Why one item of a body was refused: an enumeration of codes, among which are those of JSON.
package protocol ItemFault: RawRepresentable, Equatable, Error, Sendable where RawValue == String {
    static var invalidJSON: Self { get }
    static var invalidUTF8: Self { get }
    static var trailingContent: Self { get }
    static var numberOutOfRange: Self { get }
    static var tooDeep: Self { get }
    static var tooLarge: Self { get }
    static var notAnObject: Self { get }
    static var duplicateKey: Self { get }

    /// What the items are.
    static var item: BodyItem { get }
}

extension ItemFault {
    package init(_ error: JSONError) {
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

    /// Part of the contract.
    package var code: String { rawValue }

    /// The bytes are no JSON text at all, so a body that has nothing else is refused as a whole.
    package var isNotJSON: Bool {
        self == .invalidJSON || self == .invalidUTF8 || self == .trailingContent
    }

    /// One sentence for people on a fault that any item may have.
    package var commonDetail: String {
        let name = Self.item.rawValue
        return switch self {
        case .invalidJSON: "The \(name) is not valid JSON."
        case .invalidUTF8: "The \(name) is not valid UTF-8."
        case .trailingContent: BodyError.missingNewline(after: Self.item)
        case .numberOutOfRange: "A number is beyond what a double holds."
        case .tooDeep: "The \(name) is nested deeper than the limit."
        case .tooLarge: "The \(name) is larger than the limit."
        case .notAnObject:
            "\(name == "event" ? "An" : "A") \(name) is a JSON object; an array of \(name)s is a "
                + "body of its own."
        case .duplicateKey: "A member name occurs twice."
        default: "The \(name) is refused."
        }
    }
}
