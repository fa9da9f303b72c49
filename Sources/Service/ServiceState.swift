import Ingest
import Journal
import Redis
import Storage

/// Whether the parts of the service can do their work, as `/readyz` tells.
final class ServiceState: Sendable {
    enum Verdict { case ok, degraded, failed }

    struct Component {
        let name: String
        /// One word for people and machines.
        let word: String
        let verdict: Verdict
    }

    private let journal: Journal
    private let store: EventStore
    private let writer: EventWriter
    private let redis: RedisClients
    /// What the journal held at the start is stored up to here when the node has caught up.
    private let caughtUpAt: UInt64

    init(journal: Journal, store: EventStore, writer: EventWriter, redis: RedisClients) {
        self.journal = journal
        self.store = store
        self.writer = writer
        self.redis = redis
        caughtUpAt = journal.status.committedSequence
    }

    var components: [Component] {
        let health = journal.status.health
        let failure = writer.failure
        let isCatchingUp = store.position < caughtUpAt
        return [
            Component(
                name: "journal", word: health.name, verdict: health == .ok ? .ok : .failed),
            Component(
                name: "store",
                word: failure != nil ? "failed" : isCatchingUp ? "catching_up" : "ok",
                verdict: failure == nil && !isCatchingUp ? .ok : .failed),
            // Open, whatever the breakers say, while the streams are behind: a server that answers
            // and refuses is not there either.
            component(
                "redis_streams", redis.streams?.redis, isOut: redis.streams?.isDegraded == true),
            component("redis_cache", redis.cache?.redis, isOut: false),
        ]
    }

    /// The worst of its lanes; disabled without one.
    private func component(
        _ name: String, _ redis: GuardedRedis?, isOut: Bool
    ) -> Component {
        guard let redis else { return Component(name: name, word: "disabled", verdict: .ok) }
        let modes = redis.status.map(\.breaker.mode)
        if isOut || modes.contains(.open) || modes.contains(.forcedOpen) {
            return Component(name: name, word: "open", verdict: .degraded)
        }
        if modes.contains(.halfOpen) {
            return Component(name: name, word: "half_open", verdict: .degraded)
        }
        return Component(name: name, word: "ok", verdict: .ok)
    }
}
