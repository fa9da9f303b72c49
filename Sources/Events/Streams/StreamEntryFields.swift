import Primitives
import Redis

/// Fields of a stream entry that mean something here, borrowed from the reply or a copy. Of a field
/// that comes twice the last counts.
struct StreamEntryFields {
    private(set) var event: UnsafeRawBufferPointer?
    private(set) var frame: UnsafeRawBufferPointer?
    private(set) var origin: UnsafeRawBufferPointer?
    /// The id of the entry that this one stands for since erased events were taken out of it.
    private(set) var replaces: UnsafeRawBufferPointer?

    init(
        event: UnsafeRawBufferPointer?, frame: UnsafeRawBufferPointer?,
        origin: UnsafeRawBufferPointer?, replaces: UnsafeRawBufferPointer? = nil
    ) {
        (self.event, self.frame, self.origin) = (event, frame, origin)
        self.replaces = replaces
    }

    init(_ replies: RedisReplies) {
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

    /// The id that the events had when their node sent them, which an erasure's end is compared with.
    func firstID(_ entry: StreamEntryID) -> StreamEntryID {
        min(entry, replaces.flatMap { StreamEntryID($0) } ?? entry)
    }
}
