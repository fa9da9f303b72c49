import Container
import Ingest
import Primitives
import Sinks
import Telemetry

extension Wiring {
    /// Sinks read the streams if there is a Redis, else this node's store.
    static func addSinks(
        to container: Container, _ configuration: Configuration, _ shutdown: Locked<Deadline>,
        _ reports: ReportSections
    ) {
        reports.add { parts in SinksSection(sinks: try parts.resolve()) }
        container.register(
            Sinks.self, start: { $0.start() }, stop: { $0.stop(until: shutdown.withLock { $0 }) }
        ) { parts in
            // It writes down what sinks hand over, so it must outlive them.
            let _: EventWriter = try parts.resolve()
            let userAgent = "millrace/\(Version.current)"
            guard let url = configuration.redisURL else {
                return try Sinks(
                    configuration.sinks, store: try parts.resolve(), userAgent: userAgent,
                    log: try parts.resolve())
            }
            var streams = SinkStreams(
                url: url, node: configuration.node, partitions: configuration.partitions,
                encoding: configuration.streamEncoding, claimAfter: configuration.streamClaimAfter)
            streams.masking = configuration.masking.events
            return Sinks(
                configuration.sinks, streams: streams, store: try parts.resolve(),
                userAgent: userAgent, log: try parts.resolve())
        }
        container.register(DeadLetterRoutes.self) { parts in
            DeadLetterRoutes(
                store: try parts.resolve(), sinks: try parts.resolve(),
                readers: try parts.resolve(name: "query"),
                replays: try parts.resolve(name: "replay"))
        }
    }
}
