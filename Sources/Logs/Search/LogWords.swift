import Primitives

/// The text that a record is found by: its message, the values of its attributes, its event's name.
///
/// FTS5's `unicode61` makes a run of Chinese, Japanese or Korean one token, so nothing but a whole
/// run could be found. Here each such character stands by itself, in what is indexed as in what is
/// asked for: a word of several is then a phrase.
enum LogWords {
    /// Appends the text of a record.
    static func append(_ record: LogRecord, to text: inout ByteBuffer) {
        if record.flags.contains(.jsonBody) {
            append(valuesOf: record.body, to: &text)
        } else {
            append(plain: record.body, to: &text)
        }
        if !record.attributes.isEmpty { append(valuesOf: record.attributes, to: &text) }
        if !record.eventName.isEmpty {
            text.append(" ")
            append(plain: record.eventName, to: &text)
        }
    }

    /// Appends `bytes` with each character that is a word by itself between spaces.
    static func append(plain bytes: UnsafeRawBufferPointer, to text: inout ByteBuffer) {
        var copied = 0
        var index = 0
        while index < bytes.count {
            // Their first byte is E1 (Hangul Jamo) or above; ASCII and Latin are passed over fast.
            guard bytes[index] >= 0xE1 else {
                index += 1
                continue
            }
            let length = characterLength(bytes[index])
            guard index + length <= bytes.count, isWord(bytes, index, length) else {
                index += length
                continue
            }
            text.append(UnsafeRawBufferPointer(rebasing: bytes[copied..<index]))
            text.append(" ")
            text.append(UnsafeRawBufferPointer(rebasing: bytes[index..<index + length]))
            text.append(" ")
            index += length
            copied = index
        }
        text.append(UnsafeRawBufferPointer(rebasing: bytes[min(copied, bytes.count)...]))
    }

    /// Appends the strings and numbers of a JSON text that are no member names, escapes resolved.
    static func append(valuesOf json: UnsafeRawBufferPointer, to text: inout ByteBuffer) {
        var index = 0
        while index < json.count {
            let byte = json[index]
            if byte == UInt8(ascii: "\"") {
                let end = stringEnd(json, from: index + 1)
                let after = JSONScan.skipSpace(json, from: end + 1)
                if after >= json.count || json[after] != UInt8(ascii: ":") {
                    text.append(" ")
                    append(
                        escaped: UnsafeRawBufferPointer(rebasing: json[index + 1..<end]), to: &text)
                }
                index = end + 1
            } else if byte == UInt8(ascii: "-") || byte &- 48 < 10 {
                var end = index + 1
                while end < json.count, isNumberByte(json[end]) { end += 1 }
                text.append(" ")
                text.append(UnsafeRawBufferPointer(rebasing: json[index..<end]))
                index = end
            } else {
                index += 1
            }
        }
    }

    /// One after the last byte of the string that begins at `start`; the end if it does not end.
    private static func stringEnd(_ json: UnsafeRawBufferPointer, from start: Int) -> Int {
        var index = start
        while index < json.count, json[index] != UInt8(ascii: "\"") {
            index += json[index] == UInt8(ascii: "\\") ? 2 : 1
        }
        return min(index, json.count)
    }

    private static func append(escaped bytes: UnsafeRawBufferPointer, to text: inout ByteBuffer) {
        guard bytes.contains(UInt8(ascii: "\\")) else { return append(plain: bytes, to: &text) }
        var plain = ByteBuffer(capacity: bytes.count)
        var index = 0
        while index < bytes.count {
            guard bytes[index] == UInt8(ascii: "\\"), index + 1 < bytes.count else {
                plain.append(bytes[index])
                index += 1
                continue
            }
            if bytes[index + 1] == UInt8(ascii: "u"), let (scalar, length) = scalar(bytes, index) {
                plain.append(contentsOf: String(scalar).utf8)
                index += length
            } else {
                // What `\n` and its like stand for separates words, as a space does.
                plain.append(" ")
                index += 2
            }
        }
        append(plain: plain.span, to: &text)
    }

    /// The character of the escape at `start`, or of the two escapes that are one character.
    private static func scalar(
        _ bytes: UnsafeRawBufferPointer, _ start: Int
    ) -> (Unicode.Scalar, Int)? {
        guard let high = unit(bytes, start) else { return nil }
        if (0xD800..<0xDC00).contains(high), let low = unit(bytes, start + 6),
            (0xDC00..<0xE000).contains(low)
        {
            let value = 0x10000 + (high - 0xD800) << 10 + (low - 0xDC00)
            return Unicode.Scalar(value).map { ($0, 12) }
        }
        return Unicode.Scalar(high).map { ($0, 6) }
    }

    private static func unit(_ bytes: UnsafeRawBufferPointer, _ start: Int) -> UInt32? {
        guard start + 6 <= bytes.count, bytes[start] == UInt8(ascii: "\\"),
            bytes[start + 1] == UInt8(ascii: "u")
        else { return nil }
        return UInt32(String(decoding: bytes[start + 2..<start + 6], as: UTF8.self), radix: 16)
    }

    private static func isNumberByte(_ byte: UInt8) -> Bool {
        byte &- 48 < 10 || byte == UInt8(ascii: ".") || byte | 0x20 == UInt8(ascii: "e")
            || byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-")
    }

    private static func characterLength(_ first: UInt8) -> Int {
        first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC0 ? 2 : 1
    }

    /// Whether the character is of a script that writes without spaces between words.
    private static func isWord(
        _ bytes: UnsafeRawBufferPointer, _ index: Int, _ length: Int
    ) -> Bool {
        if length == 4 {
            // Han beyond the first plane: U+20000 to U+3FFFF.
            let value = UInt32(bytes[index] & 7) << 18 | UInt32(bytes[index + 1] & 0x3F) << 12
            return (0x20000...0x3FFFF).contains(value)
        }
        guard length == 3 else { return false }
        let value =
            UInt32(bytes[index] & 15) << 12 | UInt32(bytes[index + 1] & 0x3F) << 6
            | UInt32(bytes[index + 2] & 0x3F)
        switch value {
        case 0x2E80...0x2FDF, 0x3005...0x3007, 0x3040...0x318F, 0x31A0...0x31FF, 0x3400...0x4DBF,
            0x4E00...0x9FFF, 0xA960...0xA97F, 0xAC00...0xD7FF, 0xF900...0xFAFF, 0xFF66...0xFF9F,
            0x1100...0x11FF:
            return true
        default: return false
        }
    }
}
