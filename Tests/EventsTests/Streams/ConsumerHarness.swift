import Primitives
import Redis
import Storage
import Telemetry
import TestSupport

@testable import EventCoding
@testable import Streams

/// A consumer that speaks to Redis through a proxy. The test does what forwarder and writer do.
final class ConsumerHarness {
    private let directory: TemporaryDirectory
    private let server: RedisServer
    let proxy: FaultProxy
    let parts: StreamParts
    let consumer: StreamConsumer
    /// The test's own, past the proxy.
    private let direct: GuardedRedis

    init(partitions: Int = 1, log: Logger = .silent) throws {
        directory = try TemporaryDirectory()
        server = try RedisServer()
        proxy = try FaultProxy(to: server.port)
        let redis = GuardedRedis(
            SinkStreamHarness.url(of: proxy), lanes: [.streams, .consumer], clientName: "test",
            logger: .silent)
        parts = try StreamParts.make(in: directory, redis, partitions: partitions, log: log)
        consumer = StreamConsumer(parts)
        direct = GuardedRedis(
            server.url(), lanes: [.streams], clientName: "direct", logger: .silent)
    }

    func stop() {
        consumer.stop()
        parts.redis.close()
        parts.journal.close()
        direct.close()
        proxy.stop()
    }

    /// Adds an entry, with `text` as its event.
    func add(text: String, to partition: Int = 0) throws(RedisError) {
        try command { $0.command("XADD", parts.keys.names[partition], "*", "event", text) }
    }

    /// Adds an event whose data have `size` bytes.
    func add(_ id: String, size: Int = 1, to partition: Int = 0) throws(RedisError) {
        let data = String(repeating: "x", count: size)
        try add(
            text: #"{"id":"\#(id)","type":"t","source":"/s","data":"\#(data)"}"#, to: partition)
    }

    /// Makes the group.
    func makeGroup() throws(RedisError) {
        for key in parts.keys.names {
            try command { $0.command("XGROUP", "CREATE", key, "g", "0", "MKSTREAM") }
        }
    }

    /// Gives new entries of a partition to the consumer, which sees nothing of it.
    func deliver(_ partition: Int = 0) throws(RedisError) {
        let key = parts.keys.names[partition]
        try command { $0.command("XREADGROUP", "GROUP", "g", "n", "STREAMS", key, ">") }
    }

    /// How many entries are pending in a partition.
    func pending(_ partition: Int = 0) throws(RedisError) -> Int64? {
        try command { $0.command("XPENDING", parts.keys.names[partition], "g") }
    }

    /// Says something to Redis past the proxy.
    /// - Returns: the number that the answer is or begins with.
    @discardableResult
    func command(_ add: (inout RedisPipeline) -> Void) throws(RedisError) -> Int64? {
        var pipeline = RedisPipeline()
        add(&pipeline)
        return try direct.call(.streams, within: .seconds(5)) { session throws(RedisError) in
            let reply = try session.single(pipeline)
            return (reply.elements.first ?? reply).integer
        }
    }

    /// Takes batches as the writer does, until `isSo` says so of the ids of their events, or the time
    /// is over.
    /// - Parameter look: gets each batch first.
    func store(
        within limit: Duration = .seconds(30), look: (StreamBatch) -> Void = { _ in },
        until isSo: ([String]) -> Bool
    ) throws -> [String] {
        let deadline = Deadline.after(limit)
        var ids: [String] = []
        while !isSo(ids), !deadline.hasPassed {
            guard let batch = parts.queue.next() else {
                sleep(until: .after(.milliseconds(5)))
                continue
            }
            look(batch)
            var events = EventPayload(batch.payload.span)
            while let row = try events.next() { ids.append(Event(row).id ?? "") }
            parts.queue.stored(batch)
        }
        return ids
    }
}
