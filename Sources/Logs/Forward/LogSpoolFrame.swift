import Primitives

/// What the spool writes at once: a message, how many records it holds, and a checksum over both.
/// Little-endian:
///
///     0  magic   4  bytes of the message   8  records   12  CRC-32C of 4 to 12 and the message
///     16 the message
enum LogSpoolFrame {
    static let headerBytes = 16
    /// A larger one is damage: a record has at most 256 KiB, or what `--log-…` allows.
    static let limitBytes = 256 << 20
    private static let magic: UInt32 = 0x314C_524D  // `MRL1`

    struct Header: Equatable {
        let bytes: Int
        let records: Int
        let checksum: UInt32

        /// Of the frame, this header included.
        var frameBytes: Int { headerBytes + bytes }
    }

    static func append(
        _ message: UnsafeRawBufferPointer, records: Int, to buffer: inout ByteBuffer
    ) {
        let start = buffer.count
        buffer.append(littleEndian: magic)
        buffer.append(littleEndian: UInt32(message.count))
        buffer.append(littleEndian: UInt32(records))
        let checksum = crc32c(
            message, seed: crc32c(UnsafeRawBufferPointer(rebasing: buffer.span[(start + 4)...])))
        buffer.append(littleEndian: checksum)
        buffer.append(message)
    }

    /// The header that `bytes` begin with; nil if there is none.
    static func header(_ bytes: UnsafeRawBufferPointer) -> Header? {
        guard bytes.count >= headerBytes, number(bytes, 0) == magic else { return nil }
        let length = Int(number(bytes, 4))
        guard length <= limitBytes else { return nil }
        return Header(
            bytes: length, records: Int(number(bytes, 8)), checksum: number(bytes, 12))
    }

    /// Whether `frame`, header and message, is as it was written.
    static func isWhole(_ frame: UnsafeRawBufferPointer, _ header: Header) -> Bool {
        guard frame.count == header.frameBytes else { return false }
        let seed = crc32c(UnsafeRawBufferPointer(rebasing: frame[4..<12]))
        let message = UnsafeRawBufferPointer(rebasing: frame[headerBytes...])
        return crc32c(message, seed: seed) == header.checksum
    }

    private static func number(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> UInt32 {
        UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }
}
