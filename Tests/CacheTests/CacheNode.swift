@testable import Cache
import Primitives
import Redis
import Telemetry
import TestSupport

/// One node: a cache with its part of a Redis.
final class CacheNode: Sendable {
    let tier: RedisTier
    let cache: AnswerCache
    let source = AnswerSource()
    private let bench: CacheBench
    private let redis: GuardedRedis

    init(_ name: String, _ server: RedisServer) {
        redis = GuardedRedis(
            server.url(), lanes: [.cache], clientName: name, logger: .silent)
        var options = RedisTierOptions()
        options.leastCost = .zero
        tier = RedisTier(redis, options: options, log: .silent)
        bench = CacheBench(shared: tier, source: source)
        cache = bench.cache
    }

    static func stop(_ nodes: CacheNode...) {
        for node in nodes {
            node.bench.stop()
            node.redis.close()
        }
    }

    /// Whether the breaker keeps it from Redis.
    var isOpen: Bool { redis.breaker(.cache).snapshot(at: .now()).mode != .closed }

    /// Whether the purge feed has found its place.
    var isReading: Bool { tier.purges.hasBegun }

    func ask(_ key: String, mode: CacheMode = .use) -> CacheCall { bench.ask(key, mode: mode) }

    /// Asks strictly after the version has moved on, so that the stamp must be read.
    func revalidate(_ key: String) throws -> CacheReply {
        try bench.ask(key) { question in
            question.conditions.maxStale = .zero
            question.present = nil
            question.version = DataVersion { 2 }
            question.readStamp = StampReader { [self] _, done in done(source.present()) }
        }.reply()
    }

    /// Asks strictly, and again after the data has changed, while the first one waits for Redis.
    func askBesideChange(_ key: String) throws -> (CacheReply.Source, CacheReply.Source) {
        cache.memory.purgeAll()
        let version = Locked(UInt64(1))
        let second = Locked<CacheCall?>(nil)
        let strict: @Sendable (inout CacheQuestion) -> Void = { question in
            question.conditions.maxStale = .zero
            question.present = nil
            question.version = DataVersion { version.withLock { $0 } }
        }
        let first = bench.ask(key) { question in
            strict(&question)
            question.readStamp = StampReader { [self] _, done in
                let stamp = source.present()
                version.withLock { $0 = 2 }
                let call = bench.ask(key, strict)
                second.withLock { $0 = call }
                // Entries know when they were seen to be right to a millisecond.
                sleep(until: .after(.milliseconds(5)))
                done(stamp)
            }
        }
        guard let later = second.withLock({ $0 }) else { throw TestError("no stamp was read") }
        return (try first.reply().source, try later.reply().source)
    }

    /// Computes until Redis has it; on a busy machine a call may take too long.
    @discardableResult
    func share(_ key: String) throws -> String {
        var text = ""
        let before = tier.counters.writes.count
        try wait {
            text = try ask(key, mode: .refresh).text()
            let deadline = Deadline.after(.seconds(1))
            while tier.counters.writes.count == before, !deadline.hasPassed {
                sleep(until: .after(.milliseconds(5)))
            }
            return tier.counters.writes.count > before
        }
        return text
    }

    /// Asks until the answer comes from Redis.
    func find(_ key: String) throws -> CacheReply {
        var found: CacheReply?
        try wait {
            cache.memory.purgeAll()
            found = try ask(key).reply()
            return found?.source == .redis
        }
        guard let found else { throw TestError("not found") }
        return found
    }

    func wait(_ condition: () throws -> Bool) throws { try bench.wait(condition) }

    @discardableResult
    func command(_ name: StaticString, _ arguments: String...) throws -> Answer? {
        var pipeline = RedisPipeline()
        pipeline.begin(name, argumentCount: arguments.count)
        for argument in arguments { pipeline.add(argument) }
        return try redis.call(.cache, within: .seconds(5)) {
            session throws(RedisError) -> Answer? in
            let reply = try session.single(pipeline)
            return Answer(
                integer: reply.integer, elements: reply.elements.compactMap(\.string))
        }
    }

    /// Lays a value into Redis as it is.
    func store(_ value: Bytes, at key: String) throws {
        var pipeline = RedisPipeline()
        pipeline.begin("SET", argumentCount: 2)
        pipeline.add(key)
        pipeline.add(value.span)
        try redis.call(.cache, within: .seconds(5)) { session throws(RedisError) in
            _ = try session.single(pipeline)
        }
    }

    func keys() throws -> [String] { try command("KEYS", "*")?.elements ?? [] }

    struct Answer: Sendable {
        var integer: Int64?
        var elements: [String]
    }
}
