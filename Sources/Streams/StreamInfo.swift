import EventCoding
import Redis

/// What `XINFO STREAM` says.
struct StreamInfo: Equatable, Sendable {
    var length: Int64 = 0
    var firstID: StreamEntryID?
    var lastID = StreamEntryID.zero
    /// Entries ever added; nil before Redis 7.
    var added: Int64?

    init() {}

    init(_ reply: RedisReply) {
        var elements = reply.elements
        while let name = elements.next(), let value = elements.next() {
            if name.equals("length") {
                length = value.count
            } else if name.equals("last-generated-id") {
                lastID = value.bytes.flatMap { StreamEntryID($0) } ?? .zero
            } else if name.equals("entries-added") {
                added = value.integer
            } else if name.equals("first-entry") {
                firstID = value.elements.first?.bytes.flatMap { StreamEntryID($0) }
            }
        }
    }
}

/// What `XINFO GROUPS` says of one group.
package struct StreamGroupInfo: Equatable, Sendable {
    package var name = ""
    var consumers: Int64 = 0
    package var pending: Int64 = 0
    var lastDelivered = StreamEntryID.zero
    /// Entries that the group has been given, and those it has not; nil where Redis cannot tell.
    package var read: Int64?
    package var lag: Int64?

    package static func all(_ reply: RedisReply) -> [StreamGroupInfo] {
        reply.elements.map { StreamGroupInfo($0) }
    }

    private init(_ reply: RedisReply) {
        var elements = reply.elements
        while let field = elements.next(), let value = elements.next() {
            if field.equals("name") {
                name = value.string ?? ""
            } else if field.equals("consumers") {
                consumers = value.count
            } else if field.equals("pending") {
                pending = value.count
            } else if field.equals("last-delivered-id") {
                lastDelivered = value.bytes.flatMap { StreamEntryID($0) } ?? .zero
            } else if field.equals("entries-read") {
                read = value.isNull ? nil : value.count
            } else if field.equals("lag") {
                lag = value.isNull ? nil : value.count
            }
        }
    }
}

extension RedisReply {
    /// A number of entries or bytes: nothing that overflows when some are added up, whatever the
    /// server says. 0 for what is no number.
    var count: Int64 { min(max(integer ?? 0, 0), 1 << 48) }
}
