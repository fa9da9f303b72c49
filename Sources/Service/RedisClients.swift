import Cache
import Redis
import Streams

/// Every way from this service to a Redis; none without one.
struct RedisClients: Sendable {
    /// Nil without streams: events come to the store straight from the journal.
    let streams: EventStreams?
    /// That of the sinks, if they share streams.
    let sinks: GuardedRedis?
    let cache: CacheRedis?

    var all: [GuardedRedis] { [streams?.redis, sinks, cache?.redis].compactMap { $0 } }
    var lanes: [RedisLaneStatus] { all.flatMap(\.status) }
}
