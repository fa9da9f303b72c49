import Primitives

/// Writing Protocol Buffers straight into bytes. Fields that have their default are for the caller
/// to leave out.
extension ByteBuffer {
    package mutating func append(varint value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        append(UInt8(truncatingIfNeeded: rest))
    }

    package mutating func append(field number: UInt32, varint value: UInt64) {
        append(tag: number, .varint)
        append(varint: value)
    }

    package mutating func append(field number: UInt32, fixed64 value: UInt64) {
        append(tag: number, .fixed64)
        append(littleEndian: value)
    }

    package mutating func append(field number: UInt32, fixed32 value: UInt32) {
        append(tag: number, .fixed32)
        append(littleEndian: value)
    }

    /// A text, bytes, or a message that is already written.
    package mutating func append(field number: UInt32, bytes: UnsafeRawBufferPointer) {
        append(tag: number, .bytes)
        append(varint: UInt64(bytes.count))
        append(bytes)
    }

    package mutating func append(field number: UInt32, text: String) {
        var text = text
        text.withUTF8 { append(field: number, bytes: UnsafeRawBufferPointer($0)) }
    }

    /// A message that `body` writes. Its length stands before it and is known after it: one byte is
    /// kept free, and a longer length moves what was written.
    package mutating func append<Failure: Error>(
        field number: UInt32, message body: (inout ByteBuffer) throws(Failure) -> Void
    ) throws(Failure) {
        let start = beginMessage(number)
        try body(&self)
        endMessage(at: start)
    }

    /// The same in two calls, for a message whose parts come one by one.
    /// - Returns: what `endMessage` wants.
    package mutating func beginMessage(_ number: UInt32) -> Int {
        append(tag: number, .bytes)
        append(0)
        return count
    }

    package mutating func endMessage(at start: Int) {
        let length = count - start
        guard length >= 0x80 else { return set(UInt8(length), at: start - 1) }
        var size = [UInt8]()
        var rest = length
        while rest >= 0x80 {
            size.append(UInt8(rest & 0x7F) | 0x80)
            rest >>= 7
        }
        size.append(UInt8(rest))
        let shift = size.count - 1
        _ = spare(shift)
        (base + start + shift).copyMemory(from: base + start, byteCount: length)
        commit(shift)
        for (index, byte) in size.enumerated() { set(byte, at: start - 1 + index) }
    }

    private mutating func append(tag number: UInt32, _ wire: ProtobufReader.Wire) {
        append(varint: UInt64(number) << 3 | UInt64(wire.rawValue))
    }
}
