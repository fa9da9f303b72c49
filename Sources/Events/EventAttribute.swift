import Primitives
internal import Glibc

/// The member names that mean something.
enum EventAttribute {
    case id, type, source, subject, time, data
    /// Attributes in CloudEvents alone; in plain events names like any other.
    case specversion, contentType, schema, base64
    case other

    /// - Parameter key: a member's name, escapes resolved.
    init(_ key: UnsafeRawBufferPointer) {
        self = .other
        switch key.count {
        case 2: if EventAttribute.matches(key, "id") { self = .id }
        case 4:
            if EventAttribute.matches(key, "type") { self = .type }
            if EventAttribute.matches(key, "time") { self = .time }
            if EventAttribute.matches(key, "data") { self = .data }
        case 6: if EventAttribute.matches(key, "source") { self = .source }
        case 7: if EventAttribute.matches(key, "subject") { self = .subject }
        case 10: if EventAttribute.matches(key, "dataschema") { self = .schema }
        case 11:
            if EventAttribute.matches(key, "specversion") { self = .specversion }
            if EventAttribute.matches(key, "data_base64") { self = .base64 }
        case 15: if EventAttribute.matches(key, "datacontenttype") { self = .contentType }
        default: break
        }
    }

    /// Whether CloudEvents 1.0 allows `name` ("Attribute Naming Convention"): lower-case letters
    /// and digits. That names "should" have at most 20 is not held against anyone.
    static func isValidName(_ name: UnsafeRawBufferPointer) -> Bool {
        !name.isEmpty
            && name.allSatisfy { $0 &- UInt8(ascii: "a") < 26 || $0 &- UInt8(ascii: "0") < 10 }
    }

    /// Whether `text` is free of control characters, which CloudEvents forbids in strings and which
    /// would play tricks in logs and terminals: U+0000 to U+001F, U+007F to U+009F.
    static func isPrintable(_ text: UnsafeRawBufferPointer) -> Bool {
        var previous: UInt8 = 0
        for byte in text {
            if byte < 0x20 || byte == 0x7F { return false }
            if previous == 0xC2, byte < 0xA0 { return false }
            previous = byte
        }
        return true
    }

    static func matches(_ key: UnsafeRawBufferPointer, _ name: StaticString) -> Bool {
        guard let base = key.baseAddress, key.count == name.utf8CodeUnitCount else { return false }
        return memcmp(base, name.utf8Start, key.count) == 0
    }
}
