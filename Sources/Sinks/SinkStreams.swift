import EventCoding
import Redis
import Streams
import Telemetry

/// Where sinks that share their work find the streams.
package struct SinkStreams: Sendable {
    package var url: RedisURL
    /// This node's name, which no other node has.
    package var node: String
    package var partitions: Int
    /// What this node writes; others may write something else.
    package var encoding: StreamOptions.Encoding
    /// How long an entry may lie with a node that says nothing before another takes it; longer for
    /// sinks whose attempts take longer.
    package var claimAfter: Duration
    /// What is masked of entries that are set aside.
    package var masking = EventMasking()

    package init(
        url: RedisURL, node: String, partitions: Int, encoding: StreamOptions.Encoding,
        claimAfter: Duration
    ) {
        self.claimAfter = claimAfter
        self.url = url
        self.node = node
        self.partitions = partitions
        self.encoding = encoding
    }

    /// A connection for each lane's blocking read, two to spare for heartbeats, and one for
    /// `SinkMembership`.
    func connect(sinkCount: Int, log: Logger) -> GuardedRedis {
        let limit = sinkCount * partitions + 3
        return GuardedRedis(
            url, lanes: [.sinks], clientName: "millrace-\(node)-sinks",
            options: { _ in RedisLaneOptions(connectionLimit: limit) }, logger: log)
    }
}
