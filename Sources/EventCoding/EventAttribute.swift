internal import Glibc
import Primitives

/// The member names that mean something.
package enum EventAttribute {
    case id, type, source, subject, time, data
    /// Attributes in CloudEvents alone; in plain events names like any other.
    case specversion, contentType, schema, base64
    case other

    /// - Parameter key: a member's name, escapes resolved.
    package init(_ key: UnsafeRawBufferPointer) {
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
        isPlainASCII(text) || isPrintableUTF8(text)
    }

    /// Whether every byte is one of U+0020 to U+007E: true for nearly all there is, and told eight
    /// bytes at a time.
    private static func isPlainASCII(_ text: UnsafeRawBufferPointer) -> Bool {
        var odd: UInt64 = 0
        var offset = 0
        while offset + 8 <= text.count {
            odd |= oddBits(text.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            offset += 8
        }
        // The rest shifted into one word, with spaces in front.
        var word: UInt64 = 0x2020_2020_2020_2020
        while offset < text.count {
            word = word << 8 | UInt64(text[offset])
            offset += 1
        }
        return (odd | oddBits(word)) & 0x8080_8080_8080_8080 == 0
    }

    /// Bit 7 of each byte is set if it is below 0x20, 0x7F or above. A borrow between bytes can
    /// only come from a byte that is odd itself.
    private static func oddBits(_ word: UInt64) -> UInt64 {
        (word &- 0x2020_2020_2020_2020) | (word &+ 0x0101_0101_0101_0101) | word
    }

    private static func isPrintableUTF8(_ text: UnsafeRawBufferPointer) -> Bool {
        var previous: UInt8 = 0
        for byte in text {
            if byte < 0x20 || byte == 0x7F { return false }
            if previous == 0xC2, byte < 0xA0 { return false }
            previous = byte
        }
        return true
    }

    package static func matches(_ key: UnsafeRawBufferPointer, _ name: StaticString) -> Bool {
        guard let base = key.baseAddress, key.count == name.utf8CodeUnitCount else { return false }
        return memcmp(base, name.utf8Start, key.count) == 0
    }
}
