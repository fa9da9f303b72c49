import Primitives
import Redis

/// What readers of a group, stores and sinks alike, say to Redis about entries that were delivered
/// before; `PendingEntry` says why in this way.
extension RedisPipeline {
    /// Asks which entries behind `after` are pending for `consumer`, in their order.
    mutating func listPending(
        _ key: String, _ group: String, of consumer: String, behind after: StreamEntryID,
        count: Int
    ) {
        command("XPENDING", key, group, "\(after.next)", "+", "\(count)", consumer)
    }

    /// Asks for the contents of `entries`, with a command for each. That is no delivery.
    mutating func fetch(_ entries: ArraySlice<PendingEntry>, of key: String) {
        for entry in entries { command("XRANGE", key, "\(entry.id)", "\(entry.id)") }
    }

    /// Sets how often `entries` of `consumer` were delivered to what was listed and so many tries
    /// more.
    mutating func count(
        _ entries: ArraySlice<PendingEntry>, tries: Int64, _ key: String, _ group: String,
        of consumer: String
    ) {
        for (deliveries, entries) in Dictionary(grouping: entries, by: \.deliveries) {
            begin("XCLAIM", argumentCount: 7 + entries.count)
            add(key)
            add(group)
            add(consumer)
            add(literal: "0")
            for entry in entries { add(entry.id) }
            add(literal: "RETRYCOUNT")
            add(decimal: Int(deliveries + tries))
            add(literal: "JUSTID")
        }
    }

    /// Makes entries pending for `consumer` that lay with another for `idle`. That is no delivery.
    mutating func takeOver(
        _ key: String, _ group: String, for consumer: String, idle: Duration,
        from cursor: String, count: Int
    ) {
        command(
            "XAUTOCLAIM", key, group, consumer, "\(idle.wholeMilliseconds)", cursor, "COUNT",
            "\(count)", "JUSTID")
    }
}

extension PendingEntry {
    /// What `listPending` is answered with: ids with the consumer, the idle time and the deliveries.
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

/// What `takeOver` is answered with.
struct TakenOver {
    /// Where to go on; `0-0` once all were looked at.
    var cursor = "0-0"
    var entries: [StreamEntryID] = []
    /// Trimmed while another had them; Redis has struck them off.
    var gone: [StreamEntryID] = []

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
