import HTTPClient
import Primitives
import Redis
import Resilience
import Storage
import Telemetry

/// All sinks of this node: what receives events elsewhere. Any thread.
package final class Sinks: Sendable {
    private let store: EventStore
    private let sinks: [Sink]
    /// Nil without sinks: libcurl is then not even set up.
    private let client: HTTPClient?
    /// Of the sinks alone, so that their blocking reads take no connection from others. Nil without
    /// sinks, and where they read this node's store.
    package let redis: GuardedRedis?
    private let membership: SinkMembership?
    private let isStopping: Monitor<Bool>
    private let threads: Locked<[Thread]> = Locked([])
    private let runningLanes = Monitor(0)

    /// A request under way when the service stops may end for so long; what it carries is sent
    /// again otherwise.
    private static let grace = Duration.seconds(5)

    /// Sinks that read this node's store. Before the store's writer starts.
    /// - Throws: if their positions cannot be read or written down.
    package convenience init(
        _ options: [SinkOptions], store: EventStore, userAgent: String, log: Logger
    ) throws(StorageError) {
        let positions = options.isEmpty ? [:] : try store.openSinks(options.map(\.name))
        self.init(options, store: store, userAgent: userAgent, log: log) { options in
            SinkStoreSource(store, options, position: positions[options.name] ?? 0, log: log)
        }
    }

    /// Sinks that share the streams' events with those of other nodes.
    package convenience init(
        _ options: [SinkOptions], streams: SinkStreams, store: EventStore, userAgent: String,
        log: Logger
    ) {
        let redis = options.isEmpty ? nil : streams.connect(sinkCount: options.count, log: log)
        let membership = redis.map {
            SinkMembership(options.map(\.name), redis: $0, node: streams.node, log: log)
        }
        self.init(
            options, store: store, redis: redis, membership: membership, userAgent: userAgent,
            log: log
        ) { options -> (any SinkSource)? in
            guard let redis, let membership else { return nil }
            return SinkStreamSource(
                options, redis: redis, store: store, streams: streams, membership: membership,
                log: log)
        }
    }

    /// - Parameter source: makes the source of one sink; nil leaves the sink out.
    init(
        _ options: [SinkOptions], store: EventStore, redis: GuardedRedis? = nil,
        membership: SinkMembership? = nil, userAgent: String, log: Logger,
        source: (SinkOptions) -> (any SinkSource)?
    ) {
        self.store = store
        self.redis = redis
        self.membership = membership
        let parts = options.compactMap { options in source(options).map { (options, $0) } }
        var clientOptions = HTTPClientOptions()
        clientOptions.userAgent = userAgent
        // Each lane has one request under way; a replay is one more of its sink's.
        clientOptions.inFlightLimit = max(1, parts.reduce(0) { $0 + $1.1.partitions + 1 })
        clientOptions.idleConnectionLimit = clientOptions.inFlightLimit
        let client = parts.isEmpty ? nil : HTTPClient(clientOptions)
        let isStopping = Monitor(false)
        self.client = client
        self.isStopping = isStopping
        sinks = parts.compactMap { options, source in
            client.map { client in
                Sink(options, source: source, client: client, isStopping: isStopping, log: log)
            }
        }
    }

    package var isEmpty: Bool { sinks.isEmpty }
    package var statuses: [SinkStatus] { sinks.map(\.status) }

    package func start() {
        membership?.start()
        let lanes = sinks.flatMap(\.lanes)
        runningLanes.withLock { $0 = lanes.count }
        let started = lanes.map { lane in
            Thread(name: "sink") { [runningLanes] in
                lane.run()
                runningLanes.change { $0 -= 1 }
            }
        }
        threads.withLock { $0 = started }
    }

    /// Ends the lanes; a request under way gets a moment to finish.
    package func stop(until deadline: Deadline) {
        isStopping.change { $0 = true }
        _ = runningLanes.wait(
            until: min(deadline, .after(Sinks.grace)), for: { $0 == 0 }, then: { _ in })
        client?.close()
        for thread in threads.withLock({ $0 }) { thread.join() }
        threads.withLock { $0 = [] }
        membership?.stop()
        redis?.close()
    }

    /// The breaker in front of a sink's receiver, by its name, `sink:` and the sink's.
    package func breaker(_ name: String) -> CircuitBreaker? {
        sinks.first { $0.target.breaker.name == name }?.target.breaker
    }

    /// Delivers the dead letters of a sink again. For a thread that may block.
    /// - Throws: see `SinkReplayError`.
    package func replay(
        _ name: String, deadline: Deadline
    ) throws(SinkReplayError) -> SinkReplay {
        guard let sink = sinks.first(where: { $0.options.name == name }) else {
            throw .unknownSink
        }
        return try sink.replay(store, deadline: deadline)
    }
}
