import Primitives
import Redis
import Storage
import Telemetry
import TestSupport
import Testing

@testable import Sinks

/// A real Redis, a store for dead letters, and sinks named `audit` that share streams.
struct SinkStreamHarness {
    static let group = "millrace-sink:audit"

    let server: RedisServer
    let store: SinkHarness
    private let redis: GuardedRedis

    init() throws {
        server = try RedisServer()
        redis = GuardedRedis(
            server.url(), lanes: [.streams], clientName: "test", logger: .silent)
        store = try SinkHarness([])
    }

    static func key(_ partition: Int = 0) -> String { "millrace:{\(partition)}:events" }

    static func url(of proxy: FaultProxy) -> RedisURL {
        RedisURL(
            endpoints: [.tcp(host: "127.0.0.1", port: proxy.port)], user: nil, password: nil,
            database: 0)
    }

    func options(_ receiver: Receiver, batchSize: Int = 10) -> SinkOptions {
        var options = SinkOptions(name: "audit", url: receiver.url)
        options.batchSize = batchSize
        options.timeout = .seconds(2)
        return options
    }

    func streams(
        _ name: String, partitions: Int = 1, claimAfter: Duration = .seconds(60),
        url: RedisURL? = nil
    ) -> SinkStreams {
        SinkStreams(
            url: url ?? server.url(), node: name, partitions: partitions, encoding: .entry,
            claimAfter: claimAfter)
    }

    /// The sink of one node, started.
    /// - Parameter url: of Redis, where a proxy stands before it.
    func node(
        _ name: String, _ options: SinkOptions, partitions: Int = 1,
        claimAfter: Duration = .seconds(60), url: RedisURL? = nil, log: Logger = .silent
    ) -> Sinks {
        let streams = streams(name, partitions: partitions, claimAfter: claimAfter, url: url)
        let redis = streams.connect(sinkCount: 1, log: log)
        let sinks = Sinks(
            [options], store: store.store, redis: redis, userAgent: "test", log: log
        ) {
            SinkStreamSource($0, redis: redis, store: store.store, streams: streams, log: log)
        }
        sinks.start()
        return sinks
    }

    /// A sink's source without its lanes.
    func source(_ options: SinkOptions, url: RedisURL? = nil) -> (SinkStreamSource, GuardedRedis) {
        let streams = streams("a", url: url)
        let redis = streams.connect(sinkCount: 1, log: .silent)
        return (
            SinkStreamSource(
                options, redis: redis, store: store.store, streams: streams, log: .silent),
            redis
        )
    }

    @discardableResult
    func run(_ pipeline: borrowing RedisPipeline) throws -> [String] {
        try redis.call(.streams, deadline: .after(.seconds(10))) { session throws(RedisError) in
            var texts: [String] = []
            for reply in try session.send(pipeline) {
                if let error = reply.error { throw error }
                texts.append(
                    reply.string ?? reply.integer.map { "\($0)" } ?? "\(reply.elements.count)")
            }
            return texts
        }
    }

    /// Adds events `e<number>` as the forwarder does.
    /// - Returns: the ids of their entries.
    @discardableResult
    func add(
        _ numbers: Range<Int>, partition: Int = 0, type: String = "t", padding: Int = 0
    ) throws -> [String] {
        var pipeline = RedisPipeline()
        let data = String(repeating: "d", count: padding)
        for number in numbers {
            let event = """
                {"specversion":"1.0","id":"e\(number)","type":"\(type)","source":"/s",\
                "data":"\(data)"}
                """
            pipeline.command(
                "XADD", SinkStreamHarness.key(partition), "*", "id", "e\(number)", "type", type,
                "event", event, "origin", "n:1")
        }
        return try run(pipeline)
    }

    /// Adds a frame of events `e<number>`.
    @discardableResult
    func addFrame(_ numbers: Range<Int>) throws -> String {
        var payload = ByteBuffer()
        for number in numbers {
            let held = (Bytes("e\(number)"), Bytes("t"), Bytes("/s"), Bytes("{}"))
            defer { withExtendedLifetime(held) {} }
            payload.append(
                event: EventRow(
                    identity: .client(held.0.span), time: 1_431_857_100_000, type: held.1.span,
                    source: held.2.span, subject: nil, data: held.3.span, extensions: nil))
        }
        return try add(frame: payload)
    }

    /// Adds a frame of these bytes, compressed.
    @discardableResult
    func add(frame payload: borrowing ByteBuffer) throws -> String {
        let frame = gzipCompress(payload.span)
        var pipeline = RedisPipeline()
        pipeline.begin("XADD", argumentCount: 4)
        pipeline.add(SinkStreamHarness.key())
        pipeline.add("*")
        pipeline.add("frame")
        pipeline.add(frame.span)
        return try run(pipeline)[0]
    }

    /// Makes entries of partition 0 what a node was given so often, ten minutes ago, and did not
    /// settle.
    func deliver(_ entries: [String], to node: String, times: Int) throws {
        var pipeline = RedisPipeline()
        for entry in entries {
            pipeline.command(
                "XCLAIM", SinkStreamHarness.key(), SinkStreamHarness.group, node, "0", entry,
                "IDLE", "600000", "RETRYCOUNT", "\(times)", "FORCE", "JUSTID", "LASTID", entry)
        }
        try run(pipeline)
    }

    /// Makes the sink's group.
    func makeGroup() throws {
        var pipeline = RedisPipeline()
        pipeline.command(
            "XGROUP", "CREATE", SinkStreamHarness.key(), SinkStreamHarness.group, "$", "MKSTREAM")
        try run(pipeline)
    }

    func pending(_ partition: Int = 0) throws -> String {
        "\(try pendingEntries(partition).count)"
    }

    /// How often each pending entry was delivered.
    func pendingEntries(_ partition: Int = 0) throws -> [Int64] {
        var pipeline = RedisPipeline()
        pipeline.command(
            "XPENDING", SinkStreamHarness.key(partition), SinkStreamHarness.group, "-", "+", "1000")
        return try redis.call(
            .streams, deadline: .after(.seconds(10))
        ) { session throws(RedisError) in
            try session.single(pipeline).elements.compactMap { $0.elements[3]?.integer }
        }
    }

    func stop(_ sinks: Sinks) { sinks.stop(until: .after(.milliseconds(1))) }
}
