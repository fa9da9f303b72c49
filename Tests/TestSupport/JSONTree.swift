/// A JSON text as a tree, read by a parser of the tests' own: the service's must not be its own
/// judge. Strict as RFC 8259 asks, and refuses a name that comes twice in an object.
package enum JSONTree: Hashable, Sendable {
    case null
    case bool(Bool)
    case integer(Int)
    case real(Double)
    case string(String)
    case array([JSONTree])
    case object([String: JSONTree])

    package subscript(_ name: String) -> JSONTree? {
        if case .object(let members) = self { members[name] } else { nil }
    }

    package subscript(_ index: Int) -> JSONTree? {
        if case .array(let items) = self, items.indices.contains(index) {
            items[index]
        } else {
            nil
        }
    }

    package var integer: Int? { if case .integer(let value) = self { value } else { nil } }
    package var string: String? { if case .string(let value) = self { value } else { nil } }
    package var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
    package var array: [JSONTree]? { if case .array(let value) = self { value } else { nil } }
    /// Its items; none if it is no array.
    package var elements: [JSONTree] { array ?? [] }
    package var object: [String: JSONTree]? {
        if case .object(let value) = self { value } else { nil }
    }
    /// Either kind of number.
    package var number: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .real(let value): value
        default: nil
        }
    }

    /// Reads exactly one value with nothing but white space around it.
    package static func parse(_ bytes: [UInt8]) throws -> JSONTree {
        var reader = JSONTreeReader(bytes)
        let value = try reader.value()
        try reader.end()
        return value
    }

    package static func parse(_ text: some StringProtocol) throws -> JSONTree {
        try parse(Array(text.utf8))
    }
}
