import Primitives

/// Where a request stands in a distributed trace (W3C Trace Context, level 1).
package struct TraceContext: Sendable, Equatable {
    package var traceID: Key128
    /// This service's own span.
    package var spanID: UInt64
    /// The caller's span; 0 when the trace starts here.
    package var parentID: UInt64
    package var isSampled: Bool

    package init(traceID: Key128, spanID: UInt64, parentID: UInt64, isSampled: Bool) {
        self.traceID = traceID
        self.spanID = spanID
        self.parentID = parentID
        self.isSampled = isSampled
    }

    /// Continues the trace of a `traceparent` header; nil if the header is malformed (section 3.2.2).
    package init?(traceparent text: UnsafeRawBufferPointer, spanID: UInt64) {
        guard text.count >= 55, let version = hex(text, 0, 2), version != 0xFF,
            text[2] == UInt8(ascii: "-"), let high = hex(text, 3, 16), let low = hex(text, 19, 16),
            text[35] == UInt8(ascii: "-"), let parent = hex(text, 36, 16),
            text[52] == UInt8(ascii: "-"), let flags = hex(text, 53, 2),
            high | low != 0, parent != 0
        else { return nil }
        // Version 00 ends there; a later one may go on after another dash.
        guard text.count == 55 || (version > 0 && text[55] == UInt8(ascii: "-")) else { return nil }
        self.init(
            traceID: Key128(high: high, low: low), spanID: spanID, parentID: parent,
            isSampled: flags & 1 == 1)
    }
}

/// Lower-case hexadecimal digits only, as the standard wants them.
private func hex(_ text: UnsafeRawBufferPointer, _ start: Int, _ digits: Int) -> UInt64? {
    var value: UInt64 = 0
    for index in start..<start + digits {
        switch text[index] {
        case let digit where (0x30...0x39).contains(digit):
            value = value << 4 | UInt64(digit - 0x30)
        case let digit where (0x61...0x66).contains(digit):
            value = value << 4 | UInt64(digit - 0x61 + 10)
        default: return nil
        }
    }
    return value
}
