import Cache
import Container
import HTTPServer
import Query
import Redis
import Sinks
import Storage
import Streams
import Telemetry

/// Answers that are kept: in memory, and in Redis if there is one for it.
extension Wiring {
    static func addCache(
        to container: Container, _ configuration: Configuration, _ reports: ReportSections
    ) {
        addCacheRedis(to: container, configuration)
        // A worker answers no queries.
        guard configuration.role == .serve else { return }
        container.register(AnswerCache.self, start: { $0.start() }, stop: { $0.stop() }) { parts in
            let redis = try cacheRedis(parts, configuration)
            let log: Logger = try parts.resolve()
            let tier = redis.map { RedisTier($0.redis, log: log) }
            return AnswerCache(configuration.cacheOptions, shared: tier)
        }
        container.register(BucketCounters.self) { _ in BucketCounters() }
        reports.add { parts in
            CacheSection(
                cache: try parts.resolve(), redis: try cacheRedis(parts, configuration),
                buckets: try parts.resolve())
        }
        container.register(CacheRoutes.self) { parts in
            CacheRoutes(
                cache: try parts.resolve(), workers: try parts.resolve(name: "query"),
                log: try parts.resolve())
        }
    }

    /// Nothing, unless there is a Redis for it.
    private static func addCacheRedis(to container: Container, _ configuration: Configuration) {
        guard let url = configuration.queryCacheRedisURL else { return }
        container.register(CacheRedis.self, start: { $0.start() }, stop: { $0.stop() }) { parts in
            let log: Logger = try parts.resolve()
            return CacheRedis(
                GuardedRedis(
                    url, lanes: [.cache], clientName: "millrace-\(configuration.node)",
                    logger: log),
                isDedicated: configuration.cacheRedisURL != nil, log: log)
        }
    }

    private static func cacheRedis(
        _ parts: Container, _ configuration: Configuration
    ) throws -> CacheRedis? {
        configuration.queryCacheRedisURL == nil ? nil : try parts.resolve(CacheRedis.self)
    }

    /// All ways to a Redis, whose breakers are shown and can be set.
    static func redisClients(
        _ parts: Container, _ configuration: Configuration
    ) throws -> RedisClients {
        let streams: EventStreams? = try ifStreaming(parts, configuration)
        return RedisClients(
            streams: streams, sinks: try parts.resolve(Sinks.self).redis,
            cache: try cacheRedis(parts, configuration))
    }
}
