/// Writing JSON (RFC 8259) straight into bytes.
extension ByteBuffer {
    /// Appends `bytes` (UTF-8) as a JSON string with its quotes.
    package mutating func append(jsonString bytes: UnsafeRawBufferPointer) {
        reserve(bytes.count + 2)
        append(UInt8(ascii: "\""))
        var start = 0
        for index in bytes.indices {
            let byte = bytes[index]
            guard byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") else {
                continue
            }
            append(UnsafeRawBufferPointer(rebasing: bytes[start..<index]))
            start = index + 1
            appendEscape(byte)
        }
        append(UnsafeRawBufferPointer(rebasing: bytes[start...]))
        append(UInt8(ascii: "\""))
    }

    package mutating func append(jsonString text: String) {
        var text = text
        text.withUTF8 { append(jsonString: UnsafeRawBufferPointer($0)) }
    }

    /// Appends `text` as a JSON string, or `null`.
    package mutating func append(jsonStringOrNull text: String?) {
        if let text { append(jsonString: text) } else { append("null") }
    }

    /// Makes one line of JSON text: a line break would end a line of a file, or an event of a tail.
    /// Between the tokens of JSON a space is as good, and within its strings there are none.
    package mutating func joinLines(from start: Int) {
        guard UnsafeRawBufferPointer(rebasing: span[start...]).contains(where: { $0 < 0x20 })
        else { return }
        for offset in start..<count {
            let byte = base.load(fromByteOffset: offset, as: UInt8.self)
            if byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") {
                set(UInt8(ascii: " "), at: offset)
            }
        }
    }

    /// Appends the shortest text that reads back as `value`; what JSON cannot say becomes `null`.
    package mutating func append(json value: Double) {
        guard value.isFinite else { return append("null") }
        if value == value.rounded(), abs(value) < 1e15 {
            append(decimal: Int64(value))
            return append(".0")
        }
        append(value.description)
    }

    private mutating func appendEscape(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): append("\\\"")
        case UInt8(ascii: "\\"): append("\\\\")
        case 0x0A: append("\\n")
        case 0x0D: append("\\r")
        case 0x09: append("\\t")
        case 0x08: append("\\b")
        case 0x0C: append("\\f")
        default:
            append("\\u00")
            append(hexDigit(byte >> 4))
            append(hexDigit(byte & 15))
        }
    }
}

/// The lower-case hexadecimal digit of a number below 16.
package func hexDigit(_ value: UInt8) -> UInt8 {
    value < 10 ? value + UInt8(ascii: "0") : value - 10 + UInt8(ascii: "a")
}
