import Primitives
import TestSupport
import Testing

@testable import Redis

@Suite(.blocking) struct RedisServerFactsTests {
    private func facts(_ redis: GuardedRedis) throws -> RedisServerFacts {
        try redis.readFacts(.streams, deadline: .after(.seconds(5)))
    }

    @Test func `reads what a server is and how it is set up`() throws {
        let server = try RedisServer([
            "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru", "--appendonly", "yes",
            "--appendfsync", "no",
        ])
        let redis = GuardedRedis(port: server.port)
        defer { redis.close() }
        let facts = try facts(redis)
        #expect(facts.version?.contains(".") == true)
        #expect(facts.runID?.utf8.count == 40 && facts.replicationID?.utf8.count == 40)
        #expect(facts.role == "master")
        #expect(facts.maxMemoryBytes == 100 << 20 && facts.maxMemoryPolicy == "allkeys-lru")
        #expect(facts.isAppendOnly == true && facts.appendFsync == "no" && facts.saveRule == "")
        #expect(facts.warnings.count == 2)
    }

    @Test func `a restart changes the run id`() throws {
        let server = try RedisServer()
        let redis = GuardedRedis(port: server.port)
        defer { redis.close() }
        let before = try facts(redis).runID
        server.kill()
        try server.start()
        #expect(eventually { redis.attempt() == nil })
        #expect(try facts(redis).runID != before)
    }

    @Test func `lives with an access list that hides the configuration`() throws {
        let server = try RedisServer([
            "--user", "default", "on", "nopass", "~*", "+@all", "-config", "-role", "-info",
        ])
        let redis = GuardedRedis(port: server.port)
        defer { redis.close() }
        let facts = try facts(redis)
        #expect(facts == RedisServerFacts())
        #expect(facts.warnings.count == 1)
        #expect(facts.warnings.first?.contains("unknown") == true)
    }

    @Test func `warns of what would lose events, and of nothing else`() {
        var facts = RedisServerFacts()
        facts.role = "master"
        facts.maxMemoryPolicy = "noeviction"
        facts.isAppendOnly = true
        facts.appendFsync = "everysec"
        #expect(facts.warnings.isEmpty)
        facts.maxMemoryPolicy = "volatile-lru"  // Streams have no expiry, so they stay.
        #expect(facts.warnings.isEmpty)
        facts.maxMemoryPolicy = "allkeys-random"
        #expect(facts.warnings.count == 1)
        facts.isAppendOnly = false
        facts.saveRule = ""
        #expect(facts.warnings.last?.contains("every entry") == true)
        facts.saveRule = "3600 1"
        #expect(facts.warnings.last?.contains("snapshot") == true)
        facts.role = "slave"
        #expect(facts.warnings.first?.contains("replica") == true)
    }
}
