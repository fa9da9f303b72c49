import Primitives

/// The 64-bit hash of an event's identity that all nodes share: the term of a generation's set hash.
///
/// SipHash-2-4 under a key that is the same everywhere, over the source and the id. Two forms of id
/// are one identity, as for deduplication: a UUIDv7 that a node gave, and the text of it with which a
/// client gives the event back.
///
/// The key is public, so whoever may write can search for events whose hashes add up alike. Decision 29
/// says what that gives them. One thread at a time.
final class IdentityHash {
    private static let key = Key128(high: 0x6D69_6C6C_7261_6365, low: 0x7365_742D_6861_7368)
    /// Marks the form of a UUID. A source is shorter than this.
    private static let uuidFlag: UInt64 = 1 << 63

    private var text = ByteBuffer(capacity: 256)

    /// - Parameter id: of a row whose id was given by a node.
    func callAsFunction(source: UnsafeRawBufferPointer, generated id: Key128) -> UInt64 {
        text.removeAll()
        text.append(littleEndian: UInt64(source.count) | IdentityHash.uuidFlag)
        text.append(source)
        text.append(littleEndian: id.high)
        text.append(littleEndian: id.low)
        return Key128(hashing: text.span, key: IdentityHash.key).low
    }

    /// - Parameter id: the client's own.
    func callAsFunction(
        source: UnsafeRawBufferPointer, id: UnsafeRawBufferPointer
    ) -> UInt64 {
        if let uuid = Key128(uuidV7: id) { return self(source: source, generated: uuid) }
        text.removeAll()
        text.append(littleEndian: UInt64(source.count))
        text.append(source)
        text.append(id)
        defer { text.shrink(above: 64 << 10) }
        return Key128(hashing: text.span, key: IdentityHash.key).low
    }
}

extension Key128 {
    /// Nil unless `text` is a UUID of version 7.
    init?(uuidV7 text: UnsafeRawBufferPointer) {
        guard let uuid = Key128(uuid: text), uuid.high >> 12 & 0xF == 7 else { return nil }
        self = uuid
    }
}
