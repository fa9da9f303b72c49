/// A JSON text as values, for paths that are not hot: an object and a String each.
package indirect enum JSONValue: Sendable {
    case null
    case bool(Bool)
    case integer(Int64)
    /// Above what `integer` holds.
    case unsigned(UInt64)
    case double(Double)
    case string(String)
    case array([JSONValue])
    /// In the order of the text; a key that is there twice is here twice.
    case object([(key: String, value: JSONValue)])

    /// Reads one JSON text, and nothing behind it but white space. Copies it once.
    /// - Throws: what is wrong with the text.
    package static func parse(
        _ bytes: UnsafeRawBufferPointer, maxDepth: Int = 32
    ) throws(JSONError) -> JSONValue {
        var padded = ByteBuffer(capacity: bytes.count)
        padded.append(bytes)
        return try JSONParser(maxDepth: maxDepth).value(of: padded.span)
    }

    package static func parse(_ text: String, maxDepth: Int = 32) throws(JSONError) -> JSONValue {
        var padded = ByteBuffer(capacity: text.utf8.count)
        padded.append(text)
        return try JSONParser(maxDepth: maxDepth).value(of: padded.span)
    }

    /// The first member of that name; nil without one, and for what is no object.
    package subscript(key: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.key == key }?.value
    }

    package var text: String? {
        if case .string(let text) = self { text } else { nil }
    }

    package var elements: [JSONValue]? {
        if case .array(let elements) = self { elements } else { nil }
    }
}

extension JSONValue: Equatable {
    /// Kinds count: `1` and `1.0` differ. So does the order of an object's members.
    package static func == (a: JSONValue, b: JSONValue) -> Bool {
        switch (a, b) {
        case (.null, .null): true
        case (.bool(let a), .bool(let b)): a == b
        case (.integer(let a), .integer(let b)): a == b
        case (.unsigned(let a), .unsigned(let b)): a == b
        case (.double(let a), .double(let b)): a == b
        case (.string(let a), .string(let b)): a == b
        case (.array(let a), .array(let b)): a == b
        case (.object(let a), .object(let b)): a.elementsEqual(b) { $0 == $1 }
        default: false
        }
    }
}

extension ByteBuffer {
    /// Appends `value` as compact JSON text.
    package mutating func append(json value: JSONValue) {
        switch value {
        case .null: append("null")
        case .bool(let flag): append(flag ? "true" : "false")
        case .integer(let number): append(decimal: number)
        case .unsigned(let number): append(decimal: number)
        case .double(let number): append(json: number)
        case .string(let text): append(jsonString: text)
        case .array(let elements):
            append("[")
            for (index, element) in elements.enumerated() {
                if index > 0 { append(",") }
                append(json: element)
            }
            append("]")
        case .object(let members):
            append("{")
            for (index, member) in members.enumerated() {
                if index > 0 { append(",") }
                append(jsonString: member.key)
                append(":")
                append(json: member.value)
            }
            append("}")
        }
    }
}
