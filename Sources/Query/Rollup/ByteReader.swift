import Primitives

/// Reads what a rollup's row holds. Past the end there are zeros: a damaged file gives wrong
/// numbers and reads nothing that is not its own.
struct ByteReader {
    private let bytes: UnsafeRawBufferPointer
    private(set) var offset = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    var isAtEnd: Bool { offset >= bytes.count }

    mutating func byte() -> UInt8 {
        guard offset < bytes.count else { return 0 }
        defer { offset += 1 }
        return bytes[offset]
    }

    /// 64 bits, little-endian.
    mutating func word() -> UInt64 {
        guard offset + 8 <= bytes.count else {
            offset = bytes.count
            return 0
        }
        defer { offset += 8 }
        return UInt64(
            littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    /// 32 bits, little-endian, that say how many bytes follow.
    mutating func length() -> Int {
        var length = 0
        for shift in stride(from: 0, to: 32, by: 8) { length |= Int(byte()) << shift }
        return length
    }

    /// Seven bits a byte, the lowest first; the last one has no high bit (LEB128).
    mutating func varint() -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while shift < 64 {
            let next = byte()
            value |= UInt64(next & 0x7F) << shift
            if next < 0x80 { return value }
            shift += 7
        }
        return value
    }

    /// A signed number of up to 128 bits, its sign in the lowest bit.
    mutating func wideVarint() -> Int128 {
        var value: UInt128 = 0
        var shift: UInt128 = 0
        while shift < 128 {
            let next = byte()
            value |= UInt128(next & 0x7F) << shift
            if next < 0x80 { break }
            shift += 7
        }
        let half = Int128(truncatingIfNeeded: value >> 1)
        return value & 1 == 0 ? half : ~half
    }

    /// A number of things that are there at most.
    mutating func count() -> Int { Int(min(varint(), UInt64(bytes.count - offset))) }

    /// The next `count` bytes, as many as there are.
    mutating func take(_ count: Int) -> UnsafeRawBufferPointer {
        let end = min(offset + count, bytes.count)
        defer { offset = end }
        return UnsafeRawBufferPointer(rebasing: bytes[offset..<end])
    }
}

extension ByteBuffer {
    /// As `ByteReader.varint` reads it.
    mutating func append(varint value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        append(UInt8(truncatingIfNeeded: rest))
    }

    /// As `ByteReader.wideVarint` reads it.
    mutating func append(varint value: Int128) {
        var rest = UInt128(bitPattern: value << 1 ^ value >> 127)
        while rest >= 0x80 {
            append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        append(UInt8(truncatingIfNeeded: rest))
    }
}
