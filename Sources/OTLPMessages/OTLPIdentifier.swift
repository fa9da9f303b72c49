import Primitives

/// Ids of traces and spans: bytes in network byte order, or hexadecimal digits of either case. An
/// id of another length, or of zeros alone, is none.
package enum OTLPIdentifier {
    static func trace(_ bytes: UnsafeRawBufferPointer) -> Key128? {
        guard bytes.count == 16 else { return nil }
        return trace(
            high: UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
            low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
    }

    static func span(_ bytes: UnsafeRawBufferPointer) -> UInt64? {
        guard bytes.count == 8 else { return nil }
        return span(UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)))
    }

    package static func trace(digits: UnsafeRawBufferPointer) -> Key128? {
        guard digits.count == 32, let high = HexDigits.number(digits[..<16]),
            let low = HexDigits.number(digits[16...])
        else { return nil }
        return trace(high: high, low: low)
    }

    package static func span(digits: UnsafeRawBufferPointer) -> UInt64? {
        HexDigits.number(digits[...]).flatMap(span)
    }

    private static func trace(high: UInt64, low: UInt64) -> Key128? {
        high | low == 0 ? nil : Key128(high: high, low: low)
    }

    private static func span(_ number: UInt64) -> UInt64? { number == 0 ? nil : number }
}
