import Primitives
import Redis

/// Contents of entries, copied out of the replies to `XRANGE`: more is said to Redis before they are
/// decoded, and that ends the life of a reply. One thread at a time; keeps its memory.
struct EntryCopies: ~Copyable {
    private struct Copy {
        var event: Range<Int>?
        var frame: Range<Int>?
        var origin: Range<Int>?
    }

    private var bytes = ByteBuffer(capacity: 16)
    /// Nil for an entry that is gone.
    private var copies: [Copy?] = []

    private static let keptBytes = 1 << 20

    var count: Int { copies.count }

    mutating func removeAll() {
        bytes.removeAll()
        bytes.shrink(above: EntryCopies.keptBytes)
        copies.removeAll(keepingCapacity: true)
    }

    /// Copies what one `XRANGE` of one id was answered with.
    mutating func add(_ reply: RedisReply) {
        guard let fields = reply.elements.first?.elements[1], !fields.isNull else {
            return copies.append(nil)
        }
        let found = StreamEntryFields(fields.elements)
        copies.append(
            Copy(event: copy(found.event), frame: copy(found.frame), origin: copy(found.origin)))
    }

    /// The fields of the entry that was added as the `index`th, valid until the next is added; nil if
    /// it is gone.
    func fields(of index: Int) -> StreamEntryFields? {
        guard let copy = copies[index] else { return nil }
        return StreamEntryFields(
            event: span(copy.event), frame: span(copy.frame), origin: span(copy.origin))
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
