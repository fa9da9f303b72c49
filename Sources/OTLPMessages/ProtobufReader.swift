import Primitives

/// Steps over the fields of one Protocol Buffers message, in the order of the bytes.
///
///     var fields = ProtobufReader(message)
///     while let field = try fields.next() {
///         switch (field.number, field.wire) {
///         case (1, .bytes): name = field.bytes
///         default: break                          // Unknown: stepped over.
///         }
///     }
///
/// Borrows its bytes; O(1) a field. Source: protobuf.dev/programming-guides/encoding.
package struct ProtobufReader {
    /// How a field's value is written. Groups are stepped over and never seen.
    package enum Wire: UInt8, Sendable {
        case varint = 0
        case fixed64 = 1
        case bytes = 2
        case fixed32 = 5
    }

    package struct Field {
        package let number: UInt32
        package let wire: Wire
        /// Of a number: its bits. 0 for `bytes`.
        package let value: UInt64
        /// Of a text, bytes or a message; empty for a number.
        package let bytes: UnsafeRawBufferPointer
    }

    private static let groupStart: UInt8 = 3
    private static let groupEnd: UInt8 = 4
    private static var none: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: nil, count: 0) }

    private let bytes: UnsafeRawBufferPointer
    private var index = 0

    package init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// The next field; nil at the end.
    /// - Throws: `truncated`, `malformed`, `tooDeep`.
    package mutating func next() throws(OTLPError) -> Field? {
        while index < bytes.count {
            let (number, wire) = try tag()
            if let field = try value(number, wire) { return field }
            try skipGroup(number)
        }
        return nil
    }

    private mutating func tag() throws(OTLPError) -> (number: UInt32, wire: UInt8) {
        let tag = try varint()
        // Field numbers have 29 bits and begin with 1.
        guard tag >= 8, tag >> 3 < 1 << 29 else { throw .malformed }
        return (UInt32(tag >> 3), UInt8(tag & 7))
    }

    /// - Returns: nil if a group begins.
    private mutating func value(
        _ number: UInt32, _ wire: UInt8
    ) throws(OTLPError) -> Field? {
        switch wire {
        case Wire.varint.rawValue:
            return Field(
                number: number, wire: .varint, value: try varint(), bytes: ProtobufReader.none)
        case Wire.fixed64.rawValue:
            let bits = try take(8).loadUnaligned(as: UInt64.self)
            return Field(
                number: number, wire: .fixed64, value: UInt64(littleEndian: bits),
                bytes: ProtobufReader.none)
        case Wire.bytes.rawValue:
            let length = try varint()
            guard length <= UInt64(bytes.count - index) else { throw .truncated }
            return Field(
                number: number, wire: .bytes, value: 0, bytes: try take(Int(length)))
        case ProtobufReader.groupStart: return nil
        case Wire.fixed32.rawValue:
            let bits = try take(4).loadUnaligned(as: UInt32.self)
            return Field(
                number: number, wire: .fixed32, value: UInt64(UInt32(littleEndian: bits)),
                bytes: ProtobufReader.none)
        default: throw .malformed
        }
    }

    /// Steps over a group, which began with field `number`. Groups are of the first version of the
    /// format; no message of OTLP has one, but an unknown field may be one.
    private mutating func skipGroup(_ number: UInt32) throws(OTLPError) {
        var open = [number]
        while let current = open.last {
            guard index < bytes.count else { throw .truncated }
            let (inner, wire) = try tag()
            if wire == ProtobufReader.groupEnd {
                guard inner == current else { throw .malformed }
                open.removeLast()
            } else if try value(inner, wire) == nil {
                guard open.count < OTLPLimits.depth else { throw .tooDeep }
                open.append(inner)
            }
        }
    }

    private mutating func take(_ count: Int) throws(OTLPError) -> UnsafeRawBufferPointer {
        guard count <= bytes.count - index else { throw .truncated }
        defer { index += count }
        return UnsafeRawBufferPointer(rebasing: bytes[index..<index + count])
    }

    /// At most ten bytes; what would not fit 64 bits is cut, as all readers do.
    private mutating func varint() throws(OTLPError) -> UInt64 {
        var result: UInt64 = 0
        var shift: UInt64 = 0
        while index < bytes.count {
            let byte = bytes[index]
            index += 1
            result |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return result }
            shift += 7
            guard shift < 70 else { throw .malformed }
        }
        throw .truncated
    }
}
