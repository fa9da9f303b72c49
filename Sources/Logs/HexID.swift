import Primitives

/// Trace and span ids in hexadecimal, as W3C Trace Context and OTLP's JSON have them.
package enum HexID {
    /// 32 digits in any case, not all zero; nil for anything else.
    package static func trace(_ text: UnsafeRawBufferPointer) -> Key128? {
        guard text.count == 32, let high = number(text, from: 0), let low = number(text, from: 16),
            high | low != 0
        else { return nil }
        return Key128(high: high, low: low)
    }

    /// 16 digits in any case, not all zero; nil for anything else.
    package static func span(_ text: UnsafeRawBufferPointer) -> UInt64? {
        guard text.count == 16, let id = number(text, from: 0), id != 0 else { return nil }
        return id
    }

    /// The 16 digits at `start`, which must be there.
    private static func number(_ text: UnsafeRawBufferPointer, from start: Int) -> UInt64? {
        var value: UInt64 = 0
        for index in start..<start + 16 {
            let byte = text[index]
            let digit = byte &- 0x30
            let letter = (byte | 0x20) &- 0x61
            guard digit < 10 || letter < 6 else { return nil }
            value = value << 4 | UInt64(digit < 10 ? digit : letter + 10)
        }
        return value
    }
}

extension ByteBuffer {
    /// Appends 16 digits in lower case.
    package mutating func append(hex value: UInt64) {
        var shift = 64
        while shift > 0 {
            shift -= 4
            append(hexDigit(UInt8(truncatingIfNeeded: value >> UInt64(shift) & 15)))
        }
    }

    /// Appends 32 digits in lower case.
    package mutating func append(hex id: Key128) {
        append(hex: id.high)
        append(hex: id.low)
    }
}
