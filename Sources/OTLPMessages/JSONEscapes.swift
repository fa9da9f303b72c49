import Primitives

/// The escapes of JSON strings (RFC 8259, section 7).
enum JSONEscapes {
    /// Appends what stands between the quotes of a JSON string, with its escapes resolved. A lone
    /// surrogate becomes U+FFFD; a broken escape is dropped.
    static func appendResolved(_ text: UnsafeRawBufferPointer, to buffer: inout ByteBuffer) {
        var index = 0
        var plain = 0
        while index < text.count {
            guard text[index] == UInt8(ascii: "\\") else {
                index += 1
                continue
            }
            buffer.append(UnsafeRawBufferPointer(rebasing: text[plain..<index]))
            index += resolve(text, at: index, to: &buffer)
            plain = min(index, text.count)
        }
        buffer.append(UnsafeRawBufferPointer(rebasing: text[plain...]))
    }

    /// - Returns: the length of the escape at `index`.
    private static func resolve(
        _ text: UnsafeRawBufferPointer, at index: Int, to buffer: inout ByteBuffer
    ) -> Int {
        guard index + 1 < text.count else { return 1 }
        switch text[index + 1] {
        case UInt8(ascii: "n"): buffer.append(0x0A)
        case UInt8(ascii: "t"): buffer.append(0x09)
        case UInt8(ascii: "r"): buffer.append(0x0D)
        case UInt8(ascii: "b"): buffer.append(0x08)
        case UInt8(ascii: "f"): buffer.append(0x0C)
        case UInt8(ascii: "u"): return resolveUnit(text, at: index, to: &buffer)
        case let byte: buffer.append(byte)
        }
        return 2
    }

    private static func resolveUnit(
        _ text: UnsafeRawBufferPointer, at index: Int, to buffer: inout ByteBuffer
    ) -> Int {
        guard let first = unit(text, at: index) else { return 2 }
        if (0xD800..<0xDC00).contains(first), let second = unit(text, at: index + 6),
            (0xDC00..<0xE000).contains(second),
            let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
        {
            buffer.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
            return 12
        }
        let scalar = Unicode.Scalar(first) ?? "\u{FFFD}"
        buffer.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
        return 6
    }

    /// The four digits of `\u1234` at `index`.
    private static func unit(_ text: UnsafeRawBufferPointer, at index: Int) -> UInt32? {
        guard index + 6 <= text.count, text[index] == UInt8(ascii: "\\"),
            text[index + 1] == UInt8(ascii: "u")
        else { return nil }
        var value: UInt32 = 0
        for digit in text[index + 2..<index + 6] {
            guard let number = HexDigits.value(of: digit) else { return nil }
            value = value << 4 | UInt32(number)
        }
        return value
    }
}

/// Hexadecimal digits of either case.
enum HexDigits {
    static func value(of digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    /// A number of exactly 16 digits; nil for anything else.
    static func number(_ text: some Collection<UInt8>) -> UInt64? {
        guard text.count == 16 else { return nil }
        var number: UInt64 = 0
        for digit in text {
            guard let value = value(of: digit) else { return nil }
            number = number << 4 | UInt64(value)
        }
        return number
    }
}
