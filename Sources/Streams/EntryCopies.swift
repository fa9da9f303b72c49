import EventCoding
import Primitives
import Redis

/// Contents of entries, copied out of the replies to `XRANGE`: more is said to Redis before they are
/// decoded, and that ends the life of a reply. One thread at a time; keeps its memory.
package struct EntryCopies: ~Copyable {
    private struct Copy {
        var event: Range<Int>?
        var frame: Range<Int>?
        var origin: Range<Int>?
        var replaces: Range<Int>?
    }

    private var bytes = ByteBuffer(capacity: 16)
    /// Nil for an entry that is gone.
    private var copies: [Copy?] = []

    private static let keptBytes = 1 << 20

    package init() {}

    package var count: Int { copies.count }

    package mutating func removeAll() {
        bytes.removeAll()
        bytes.shrink(above: EntryCopies.keptBytes)
        copies.removeAll(keepingCapacity: true)
    }

    /// Copies what `XRANGE` of one id was answered with: that entry with its fields, or nothing.
    /// - Throws: `.unexpectedReply`; nothing is added then.
    package mutating func add(_ reply: RedisReply, of entry: StreamEntryID) throws(RedisError) {
        guard reply.kind == .array, reply.elements.count <= 1 else {
            throw .unexpected("XRANGE")
        }
        guard let only = reply.elements.first else { return copies.append(nil) }
        var parts = only.elements
        guard let id = parts.next()?.bytes.flatMap({ StreamEntryID($0) }), id == entry,
            let fields = parts.next(), fields.kind == .array || fields.isNull
        else { throw .unexpected("XRANGE") }
        if fields.isNull { return copies.append(nil) }
        let found = StreamEntryFields(fields.elements)
        copies.append(
            Copy(
                event: copy(found.event), frame: copy(found.frame), origin: copy(found.origin),
                replaces: copy(found.replaces)))
    }

    /// The fields of the entry that was added as the `index`th, valid until the next is added; nil if
    /// it is gone.
    package func fields(of index: Int) -> StreamEntryFields? {
        guard let copy = copies[index] else { return nil }
        return StreamEntryFields(
            event: span(copy.event), frame: span(copy.frame), origin: span(copy.origin),
            replaces: span(copy.replaces))
    }

    private mutating func copy(_ field: UnsafeRawBufferPointer?) -> Range<Int>? {
        guard let field else { return nil }
        let start = bytes.count
        bytes.append(field)
        return start..<bytes.count
    }

    private func span(_ range: Range<Int>?) -> UnsafeRawBufferPointer? {
        guard let range else { return nil }
        return UnsafeRawBufferPointer(rebasing: bytes.span[range])
    }
}
