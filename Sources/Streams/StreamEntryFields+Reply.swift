import EventCoding
import Redis

extension StreamEntryFields {
    /// Takes them from a reply. Of a field that comes twice the last counts.
    package init(_ replies: RedisReplies) {
        self.init(event: nil, frame: nil, origin: nil)
        var replies = replies
        while let name = replies.next(), let value = replies.next() {
            guard let bytes = name.bytes else { continue }
            if EventAttribute.matches(bytes, "event") {
                event = value.bytes
            } else if EventAttribute.matches(bytes, "origin") {
                origin = value.bytes
            } else if EventAttribute.matches(bytes, "frame") {
                frame = value.bytes
            } else if EventAttribute.matches(bytes, "replaces") {
                replaces = value.bytes
            }
        }
    }
}
