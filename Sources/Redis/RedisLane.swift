import Resilience

/// What calls to one Redis are for. Each lane has its own connections and breaker, so that none
/// can starve another: a consumer's blocking reads must not take the connection an XADD needs.
package enum RedisLane: String, Sendable, CaseIterable {
    /// XADD, trimming, and questions about streams.
    case streams
    /// XREADGROUP, XAUTOCLAIM, XACK.
    case consumer = "stream-consumer"
    /// The same for sinks, which wait for others and must not take the store's connections.
    case sinks = "sink-consumer"
    case cache
}

/// How many connections a lane has at most, and when its breaker opens.
package struct RedisLaneOptions: Sendable {
    package var connectionLimit: Int
    package var breaker: BreakerOptions

    package init(connectionLimit: Int, breaker: BreakerOptions = BreakerOptions()) {
        self.connectionLimit = connectionLimit
        self.breaker = breaker
    }

    /// Enough for the defaults: one forwarder, a trimmer, a look by `/status` and one to spare; a
    /// blocking read for each of 4 partitions and as many claims and acknowledgements; cache reads
    /// from 2 event loops' workers, 4 each.
    package static func standard(for lane: RedisLane) -> RedisLaneOptions {
        switch lane {
        case .streams: RedisLaneOptions(connectionLimit: 4)
        case .consumer, .sinks: RedisLaneOptions(connectionLimit: 8)
        case .cache: RedisLaneOptions(connectionLimit: 8)
        }
    }
}
