import Primitives
import Redis
import Telemetry

/// The Redis in which nodes share what queries have answered: its lane, with connections and a
/// breaker of its own, and the thread that sees whether it is there before a query has to.
package final class CacheRedis: Sendable {
    package let redis: GuardedRedis
    /// It serves the cache alone, so what suits streams need not suit it.
    package let isDedicated: Bool
    private let log: Logger
    private let stopping = Monitor(false)
    private let thread = ThreadSlot()
    private let known: Locked<RedisServerFacts?> = Locked(nil)

    /// Between two looks. With the prober's it keeps an outage from being news for longer than two
    /// seconds, though nobody asks anything.
    private static let interval = Duration.seconds(1)

    /// Connects to nothing yet.
    package init(_ redis: GuardedRedis, isDedicated: Bool, log: Logger) {
        self.redis = redis
        self.isDedicated = isDedicated
        self.log = log
    }

    /// What the server said of itself when it was first reached, or reached again.
    package var facts: RedisServerFacts? { known.withLock { $0 } }

    package func start() {
        thread.start(name: "cache-watch") { [self] in run() }
    }

    package func stop() {
        stopping.change { $0 = true }
        thread.join()
        redis.close()
    }

    private func run() {
        var seenConnections: UInt64 = 0
        while true {
            // A breaker that is open has its own probe, and would count this as refused.
            if redis.breaker(.cache).snapshot(at: .now()).mode == .closed {
                do throws(RedisError) {
                    try ping()
                    let connections = redis.connectionsMade(.cache)
                    if connections != seenConnections {
                        try readFacts()
                        seenConnections = redis.connectionsMade(.cache)
                    }
                } catch {
                    // The breaker counts it, and says what comes of it.
                    log.debug("redis cache not seen") { $0.add("error", error) }
                }
            }
            let isStopping = stopping.wait(
                until: .after(CacheRedis.interval), for: { $0 }, then: { _ in true })
            if isStopping == true { return }
        }
    }

    private func ping() throws(RedisError) {
        var pipeline = RedisPipeline()
        pipeline.command("PING")
        // Counted, unlike other questions: nobody else's calls would end a row of failures.
        try redis.call(
            .cache, within: GuardedRedis.requestLimit
        ) { session throws(RedisError) in _ = try session.single(pipeline) }
    }

    private func readFacts() throws(RedisError) {
        let facts = try redis.readFacts(.cache, deadline: .after(GuardedRedis.requestLimit))
        let before = known.withLock { known in
            defer { known = facts }
            return known
        }
        guard facts != before else { return }
        log.info("redis cache server") {
            $0.add("endpoint", redis.url.description)
            $0.add("version", facts.version ?? "unknown")
            $0.add("role", facts.role ?? "unknown")
            $0.add("maxmemory", facts.maxMemoryBytes ?? -1)
            $0.add("maxmemory_policy", facts.maxMemoryPolicy ?? "unknown")
        }
        for warning in warnings(of: facts) {
            log.warning("redis may not cache") { $0.add("reason", warning) }
        }
    }

    /// What would keep it from caching, in whole sentences. Where streams lie in the same Redis,
    /// their own warnings come first: noeviction is right for them.
    package func warnings(of facts: RedisServerFacts) -> [String] {
        guard isDedicated else { return [] }
        var warnings: [String] = []
        if let role = facts.role, role != "master" {
            warnings.append("This Redis is no master and refuses writes.")
        }
        if let limit = facts.maxMemoryBytes, limit > 0, facts.maxMemoryPolicy == "noeviction" {
            warnings.append(
                "maxmemory-policy noeviction refuses new entries once memory is full; allkeys-lru"
                    + " makes room for them.")
        }
        return warnings
    }
}
