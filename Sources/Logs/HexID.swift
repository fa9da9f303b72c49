import Primitives

/// Trace and span ids in hexadecimal, as W3C Trace Context and OTLP's JSON have them.
package enum HexID {
    /// 32 digits in any case, not all zero; nil for anything else.
    package static func trace(_ text: UnsafeRawBufferPointer) -> Key128? {
        guard text.count == 32, let high = number(text[..<16]), let low = number(text[16...]),
            high | low != 0
        else { return nil }
        return Key128(high: high, low: low)
    }

    /// 16 digits in any case, not all zero; nil for anything else.
    package static func span(_ text: UnsafeRawBufferPointer) -> UInt64? {
        guard text.count == 16, let id = number(text[...]), id != 0 else { return nil }
        return id
    }

    private static func number(_ digits: Slice<UnsafeRawBufferPointer>) -> UInt64? {
        var value: UInt64 = 0
        for byte in digits {
            switch byte {
            case 0x30...0x39: value = value << 4 | UInt64(byte - 0x30)
            case 0x41...0x46: value = value << 4 | UInt64(byte - 0x41 + 10)
            case 0x61...0x66: value = value << 4 | UInt64(byte - 0x61 + 10)
            default: return nil
            }
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
