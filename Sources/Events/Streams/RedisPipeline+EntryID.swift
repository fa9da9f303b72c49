import Primitives
import Redis

extension RedisPipeline {
    mutating func add(_ id: StreamEntryID) {
        var text = ByteBuffer(capacity: 44)
        text.append(id)
        add(text.span)
    }
}
