/// How a record lies in a ring, in units of 8 bytes in the byte order of the machine:
///
///     0  size of all (32 bits), level (8), flags (8), length of the message (16)
///     8  time: ticks of `LogClock`
///     16 address of the message
///     24 with `correlated`: trace id (16), span id (8), length of the request id (8), its bytes
///     …  fields: head, then the value
///
/// A head is the key's address (48 bits), its length (8) and the kind of the value (8). Numbers
/// take 8 bytes; a constant text its address and length; another text its length and its bytes. A
/// field `named` at run time has no address; after its head the lengths of name and text, then both.
/// Nothing points into the thread, which may be gone when the record is read.
@usableFromInline
enum LogLayout {
    @usableFromInline
    enum Kind: UInt8 {
        case integer, unsigned, real, bool, constant, text, named
    }

    static let headerBytes = 24
    static let correlated: UInt8 = 1
    static let addressMask: UInt64 = (1 << 48) - 1

    @inlinable @inline(__always)
    static func head(_ key: StaticString, _ kind: Kind) -> UInt64 {
        UInt64(UInt(bitPattern: key.utf8Start)) & ((1 << 48) - 1)
            | UInt64(key.utf8CodeUnitCount & 0xFF) << 48 | UInt64(kind.rawValue) << 56
    }

    @inlinable @inline(__always)
    static func padded(_ count: Int) -> Int { (count + 7) & ~7 }
}
