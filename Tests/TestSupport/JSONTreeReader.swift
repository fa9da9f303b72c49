/// Reads one JSON text, byte by byte.
struct JSONTreeReader {
    private let bytes: [UInt8]
    private var index = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func value() throws -> JSONTree {
        switch next() {
        case UInt8(ascii: "{"): return .object(try object())
        case UInt8(ascii: "["): return .array(try array())
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try literal("true", .bool(true))
        case UInt8(ascii: "f"): return try literal("false", .bool(false))
        case UInt8(ascii: "n"): return try literal("null", .null)
        default: return try number()
        }
    }

    mutating func end() throws {
        guard next() == nil else { throw failure("something follows the value") }
    }

    /// The first byte that is no white space, not taken.
    private mutating func next() -> UInt8? {
        while index < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[index]) { index += 1 }
        return index < bytes.count ? bytes[index] : nil
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard next() == byte else { return false }
        index += 1
        return true
    }

    private mutating func object() throws -> [String: JSONTree] {
        var members: [String: JSONTree] = [:]
        _ = take(UInt8(ascii: "{"))
        if take(UInt8(ascii: "}")) { return members }
        repeat {
            guard next() == UInt8(ascii: "\"") else { throw failure("a name was expected") }
            let name = try string()
            guard take(UInt8(ascii: ":")) else { throw failure("a colon was expected") }
            guard members.updateValue(try value(), forKey: name) == nil else {
                throw failure("\(name) comes twice")
            }
        } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "}")) else { throw failure("an object does not end") }
        return members
    }

    private mutating func array() throws -> [JSONTree] {
        var items: [JSONTree] = []
        _ = take(UInt8(ascii: "["))
        if take(UInt8(ascii: "]")) { return items }
        repeat { items.append(try value()) } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "]")) else { throw failure("an array does not end") }
        return items
    }

    private mutating func literal(_ text: String, _ value: JSONTree) throws -> JSONTree {
        guard bytes[index...].starts(with: text.utf8) else { throw failure("no value") }
        index += text.utf8.count
        return value
    }

    private mutating func number() throws -> JSONTree {
        let characters = Set("+-.eE0123456789".utf8)
        let text = String(
            decoding: bytes[index...].prefix { characters.contains($0) }, as: UTF8.self)
        let digits = text.drop { $0 == "-" }
        let hasLeadingZero = digits.first == "0" && digits.dropFirst().first?.isNumber == true
        guard let first = digits.first, first.isNumber, !hasLeadingZero, text.last?.isNumber == true
        else { throw failure("no value") }
        index += text.utf8.count
        if let integer = Int(text) { return .integer(integer) }
        guard let real = Double(text) else { throw failure("no number") }
        return .real(real)
    }

    private mutating func string() throws -> String {
        index += 1
        var decoded: [UInt8] = []
        while index < bytes.count {
            let byte = bytes[index]
            index += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let text = String(validating: decoded, as: UTF8.self) else {
                    throw failure("a string is not UTF-8")
                }
                return text
            case UInt8(ascii: "\\"): decoded += try escape()
            case 0..<0x20: throw failure("a control character in a string")
            default: decoded.append(byte)
            }
        }
        throw failure("a string does not end")
    }

    private mutating func escape() throws -> [UInt8] {
        guard index < bytes.count else { throw failure("a string does not end") }
        index += 1
        switch bytes[index - 1] {
        case UInt8(ascii: "n"): return [0x0A]
        case UInt8(ascii: "t"): return [0x09]
        case UInt8(ascii: "r"): return [0x0D]
        case UInt8(ascii: "b"): return [0x08]
        case UInt8(ascii: "f"): return [0x0C]
        case UInt8(ascii: "u"): return try unicodeEscape()
        case let byte where [0x22, 0x5C, 0x2F].contains(byte): return [byte]
        default: throw failure("an unknown escape")
        }
    }

    private mutating func unicodeEscape() throws -> [UInt8] {
        var code = try codeUnit()
        if 0xD800..<0xDC00 ~= code {
            guard bytes[index...].starts(with: Array("\\u".utf8)) else {
                throw failure("half a surrogate pair")
            }
            index += 2
            let low = try codeUnit()
            guard 0xDC00..<0xE000 ~= low else { throw failure("half a surrogate pair") }
            code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
        }
        guard let scalar = UnicodeScalar(code) else { throw failure("half a surrogate pair") }
        return Array(String(Character(scalar)).utf8)
    }

    private mutating func codeUnit() throws -> UInt32 {
        let digits = String(decoding: bytes[index...].prefix(4), as: UTF8.self)
        guard digits.utf8.count == 4, let code = UInt32(digits, radix: 16) else {
            throw failure("four hexadecimal digits were expected")
        }
        index += 4
        return code
    }

    private func failure(_ reason: String) -> TestError { TestError("byte \(index): \(reason)") }
}
