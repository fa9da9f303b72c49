import EventCoding
import Primitives
import Redis

extension PendingEntry {
    /// What XPENDING is answered with: ids with the consumer, the idle time and the deliveries.
    /// - Throws: `.unexpectedReply`.
    static func all(_ reply: RedisReply) throws(RedisError) -> [PendingEntry] {
        guard reply.kind == .array else { throw .unexpected("XPENDING") }
        var all: [PendingEntry] = []
        for entry in reply.elements {
            guard let id = entry.elements.first?.bytes.flatMap({ StreamEntryID($0) }),
                let deliveries = entry.elements[3]?.integer
            else { throw .unexpected("XPENDING") }
            all.append(PendingEntry(id: id, deliveries: deliveries))
        }
        return all
    }
}

/// What XAUTOCLAIM with JUSTID is answered with.
package struct TakenOver {
    /// Where to go on; `0-0` once all were looked at.
    package var cursor = "0-0"
    package var entries: [StreamEntryID] = []
    /// Trimmed while another had them; Redis has struck them off.
    package var gone: [StreamEntryID] = []

    init() {}

    /// - Throws: `.unexpectedReply`.
    init(_ reply: RedisReply) throws(RedisError) {
        var parts = reply.elements
        guard let cursor = parts.next()?.string, StreamEntryID(cursor) != nil,
            let entries = parts.next()
        else { throw .unexpected("XAUTOCLAIM") }
        self.cursor = cursor
        self.entries = try TakenOver.ids(entries)
        // Since Redis 7.
        if let gone = parts.next() { self.gone = try TakenOver.ids(gone) }
    }

    private static func ids(_ reply: RedisReply) throws(RedisError) -> [StreamEntryID] {
        guard reply.kind == .array else { throw .unexpected("XAUTOCLAIM") }
        var ids: [StreamEntryID] = []
        for element in reply.elements {
            guard let id = element.bytes.flatMap({ StreamEntryID($0) }) else {
                throw .unexpected("XAUTOCLAIM")
            }
            ids.append(id)
        }
        return ids
    }
}
