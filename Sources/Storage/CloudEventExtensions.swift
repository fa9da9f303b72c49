import Primitives

extension ByteBuffer {
    /// Appends the members of `object`, an event's extensions, each with a comma before it, as
    /// CloudEvents 1.0 allows them ("Type System").
    ///
    /// The decoder lets no others in, but stores have them from before it did. A strict receiver
    /// refuses an event for one of them, so a value of another type goes out as the text of its
    /// JSON, and one with a name that CloudEvents does not have stays here. O(n), and n is small:
    /// most events have no extensions.
    mutating func append(extensions object: UnsafeRawBufferPointer) {
        guard let members = JSONScan.members(of: object) else { return }
        var rest = members
        while let (name, value) = CloudEventExtension.next(in: &rest) {
            guard CloudEventExtension.isName(name) else { continue }
            append(UInt8(ascii: ","))
            append(name)
            append(UInt8(ascii: ":"))
            if CloudEventExtension.isSimple(value) {
                append(value)
            } else {
                append(jsonString: value)
            }
        }
    }
}

/// One member of stored extensions, as it stands in their text.
private enum CloudEventExtension {
    /// Takes the first member from `rest`, valid JSON members with commas between them.
    static func next(
        in rest: inout UnsafeRawBufferPointer
    ) -> (name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer)? {
        var start = JSONScan.skipSpace(rest, from: 0)
        guard let name = value(in: rest, at: start) else { return nil }
        start = JSONScan.skipSpace(rest, from: start + name.count)
        guard start < rest.count, rest[start] == UInt8(ascii: ":") else { return nil }
        start = JSONScan.skipSpace(rest, from: start + 1)
        guard let value = value(in: rest, at: start) else { return nil }
        start = JSONScan.skipSpace(rest, from: start + value.count)
        // A comma, or the end.
        rest = UnsafeRawBufferPointer(rebasing: rest[min(start + 1, rest.count)...])
        return (name, value)
    }

    private static func value(
        in bytes: UnsafeRawBufferPointer, at start: Int
    ) -> UnsafeRawBufferPointer? {
        guard start < bytes.count else { return nil }
        let rest = UnsafeRawBufferPointer(rebasing: bytes[start...])
        guard let length = JSONScan.valueLength(rest) else { return nil }
        return UnsafeRawBufferPointer(rebasing: rest[..<length])
    }

    /// Whether a name, in its quotes, is one of an attribute; the one other member that is kept with
    /// extensions is `data_base64`.
    static func isName(_ name: UnsafeRawBufferPointer) -> Bool {
        let plain = UnsafeRawBufferPointer(rebasing: name[1..<name.count - 1])
        let isAttribute =
            !plain.isEmpty
            && plain.allSatisfy { $0 &- UInt8(ascii: "a") < 26 || $0 &- UInt8(ascii: "0") < 10 }
        return isAttribute || plain.elementsEqual("data_base64".utf8)
    }

    /// Whether the value is a string, a boolean or an integer of 32 bits.
    static func isSimple(_ value: UnsafeRawBufferPointer) -> Bool {
        switch value[0] {
        case UInt8(ascii: "\""): return !hasControlCharacter(value)
        case UInt8(ascii: "t"), UInt8(ascii: "f"): return true
        default: return Int32(String(decoding: value, as: UTF8.self)) != nil
        }
    }

    /// In valid JSON a control character is an escape: `\n` and the like, `\u00XX`, or the bytes
    /// of U+007F to U+009F.
    private static func hasControlCharacter(_ string: UnsafeRawBufferPointer) -> Bool {
        var index = 0
        while index < string.count {
            let byte = string[index]
            if byte == 0x7F { return true }
            if byte == 0xC2, index + 1 < string.count, string[index + 1] < 0xA0 { return true }
            guard byte == UInt8(ascii: "\\"), index + 1 < string.count else {
                index += 1
                continue
            }
            switch string[index + 1] {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): index += 2
            case UInt8(ascii: "u"):
                let digits = string[min(index + 2, string.count)..<min(index + 6, string.count)]
                let unit = UInt16(String(decoding: digits, as: UTF8.self), radix: 16) ?? 0
                if unit < 0x20 || (0x7F..<0xA0).contains(unit) { return true }
                index += 6
            default: return true
            }
        }
        return false
    }
}
