/// JSON as the tests read answers: strict, and numbers keep whether they were written as integers.
enum JSONValue: Hashable {
    case null
    case bool(Bool)
    case integer(Int64)
    case real(Double)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])

    struct Malformed: Error { let offset: Int }

    init(parsing text: String) throws {
        var parser = JSONParser(bytes: Array(text.utf8))
        self = try parser.document()
    }

    subscript(name: String) -> JSONValue? {
        if case .object(let members) = self { members[name] } else { nil }
    }
    var elements: [JSONValue] { if case .array(let elements) = self { elements } else { [] } }
    var string: String? { if case .string(let text) = self { text } else { nil } }
}

private struct JSONParser {
    let bytes: [UInt8]
    var offset = 0

    mutating func document() throws -> JSONValue {
        let value = try value()
        space()
        guard offset == bytes.count else { throw JSONValue.Malformed(offset: offset) }
        return value
    }

    private mutating func value() throws -> JSONValue {
        space()
        switch bytes[safe: offset] {
        case UInt8(ascii: "{"): return try object()
        case UInt8(ascii: "["): return try array()
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "n"): return try word("null", .null)
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        default: return try number()
        }
    }

    private mutating func space() {
        while let byte = bytes[safe: offset], [0x20, 0x0A, 0x0D, 0x09].contains(byte) {
            offset += 1
        }
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        space()
        guard bytes[safe: offset] == UInt8(ascii: character) else { return false }
        offset += 1
        return true
    }

    private mutating func expect(_ character: Unicode.Scalar) throws {
        guard take(character) else { throw JSONValue.Malformed(offset: offset) }
    }

    private mutating func word(_ word: String, _ value: JSONValue) throws -> JSONValue {
        guard bytes[offset...].starts(with: word.utf8) else {
            throw JSONValue.Malformed(offset: offset)
        }
        offset += word.utf8.count
        return value
    }

    private mutating func object() throws -> JSONValue {
        try expect("{")
        var members: [String: JSONValue] = [:]
        if take("}") { return .object(members) }
        repeat {
            space()
            let name = try string()
            try expect(":")
            members[name] = try value()
        } while take(",")
        try expect("}")
        return .object(members)
    }

    private mutating func array() throws -> JSONValue {
        try expect("[")
        var elements: [JSONValue] = []
        if take("]") { return .array(elements) }
        repeat { elements.append(try value()) } while take(",")
        try expect("]")
        return .array(elements)
    }

    private mutating func string() throws -> String {
        guard bytes[safe: offset] == UInt8(ascii: "\"") else {
            throw JSONValue.Malformed(offset: offset)
        }
        offset += 1
        var text: [UInt8] = []
        while let byte = bytes[safe: offset] {
            offset += 1
            if byte == UInt8(ascii: "\"") { return String(decoding: text, as: UTF8.self) }
            guard byte >= 0x20 else { break }
            text += byte == UInt8(ascii: "\\") ? try escape() : [byte]
        }
        throw JSONValue.Malformed(offset: offset)
    }

    private mutating func escape() throws -> [UInt8] {
        guard let byte = bytes[safe: offset] else { throw JSONValue.Malformed(offset: offset) }
        offset += 1
        let simple: [UInt8: UInt8] = [
            UInt8(ascii: "n"): 0x0A, UInt8(ascii: "r"): 0x0D, UInt8(ascii: "t"): 0x09,
            UInt8(ascii: "b"): 0x08, UInt8(ascii: "f"): 0x0C, UInt8(ascii: "\""): 0x22,
            UInt8(ascii: "\\"): 0x5C, UInt8(ascii: "/"): 0x2F,
        ]
        if let character = simple[byte] { return [character] }
        guard byte == UInt8(ascii: "u"), offset + 4 <= bytes.count,
            let code = UInt32(
                String(decoding: bytes[offset..<offset + 4], as: UTF8.self), radix: 16),
            let scalar = Unicode.Scalar(code)
        else { throw JSONValue.Malformed(offset: offset) }
        offset += 4
        return Array(String(scalar).utf8)
    }

    private mutating func number() throws -> JSONValue {
        let run = bytes[offset...].prefix { "+-.eE0123456789".utf8.contains($0) }
        let text = String(decoding: run, as: UTF8.self)
        offset += run.count
        if let integer = Int64(text) { return .integer(integer) }
        guard let real = Double(text) else { throw JSONValue.Malformed(offset: offset) }
        return .real(real)
    }
}

extension Array {
    fileprivate subscript(safe index: Int) -> Element? { index < count ? self[index] : nil }
}
