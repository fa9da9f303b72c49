@testable import Cache
import Primitives
import Redis
import Telemetry
import TestSupport
import Testing

/// Purges that go through a real Redis.
@Suite(.serialized) struct RedisPurgeTests {
    @Test(arguments: ["tag", "key", "all"])
    func `a purge reaches the memory of other nodes and what lies in Redis`(_ kind: String)
        async throws
    {
        let (runs, text) = try {
            let server = try RedisServer()
            let (a, b) = (CacheNode("a", server), CacheNode("b", server))
            defer { CacheNode.stop(a, b) }
            a.source.release()
            b.source.release()
            try a.share("q")
            _ = try b.find("q")
            try b.wait { b.tier.purgeCount == 0 && b.isReading }
            switch kind {
            case "tag": a.cache.purge(.tag("tag"))
            case "key": a.cache.purge(.key(Bytes("q")))
            default: a.cache.purge(.all)
            }
            try b.wait { b.tier.purgeCount > 0 }
            try b.wait { b.cache.memory.counts.entries == 0 }
            let before = b.source.runs
            return (b.source.runs - before, try b.ask("q").reply().source)
        }()
        #expect(runs == 0 && text == .computed)
    }

    @Test func `a purge that Redis does not have yet is not undone by what lies there`() throws {
        let (old, texts) = try {
            let server = try RedisServer()
            let (a, b) = (CacheNode("a", server), CacheNode("b", server))
            defer { CacheNode.stop(a, b) }
            a.source.release()
            b.source.release()
            a.source.padding = " of the other node"
            let old = try a.share("q")
            _ = try b.find("q")
            try b.wait { b.isReading }
            // A purge begins with this command; reading does without.
            try a.command("ACL", "SETUSER", "default", "-incr")
            b.cache.purge(.key(Bytes("q")))
            var texts = [try b.ask("q").text(), try b.ask("q").text()]
            try a.command("ACL", "SETUSER", "default", "+incr")
            try b.wait { b.tier.purgeCount > 0 && !b.tier.purges.hasUnsent }
            b.cache.memory.purgeAll()
            texts.append(try b.ask("q").text())
            return (old, texts)
        }()
        #expect(!texts.contains(old), "\(texts)")
    }

    @Test func `too many purges that wait become one of everything while one is sent`() throws {
        let entries = try {
            let server = try RedisServer()
            let (a, b) = (CacheNode("a", server), CacheNode("b", server))
            defer { CacheNode.stop(a, b) }
            a.source.release()
            b.source.release()
            try b.wait { b.isReading }
            _ = try b.ask("q").text()
            server.pause()
            a.cache.purge(.tag("other"))
            sleep(until: .after(.milliseconds(20)))
            for _ in 0..<300 { a.cache.purge(.tag("other")) }
            server.resume()
            try b.wait { b.cache.memory.counts.entries == 0 }
            return b.cache.memory.counts.entries
        }()
        #expect(entries == 0)
    }

    @Test func `answers are removed from Redis only once it has the purge of them`() throws {
        let (isEarly, late, left) = try {
            let server = try RedisServer()
            let a = CacheNode("a", server)
            defer { CacheNode.stop(a) }
            a.source.release()
            try a.share("q")
            // A purge begins with this command.
            try a.command("ACL", "SETUSER", "default", "-incr")
            a.cache.purge(.all)
            let isEarly = a.tier.removeAll()
            try a.command("ACL", "SETUSER", "default", "+incr")
            try a.wait { a.tier.removeAll() }
            return (
                isEarly, a.tier.purges.hasUnsent,
                try a.keys().count { $0.hasPrefix(SharedKeys.values) }
            )
        }()
        #expect(!isEarly && !late && left == 0)
    }

    @Test func `what was computed before a purge is not shared after it`() throws {
        let (outdated, source) = try {
            let server = try RedisServer()
            let (a, b) = (CacheNode("a", server), CacheNode("b", server))
            defer { CacheNode.stop(a, b) }
            b.source.release()
            let slow = a.ask("q")
            a.source.waitForHeld(1)
            b.cache.purge(.tag("tag"))
            try b.wait { b.tier.purgeCount > 0 }
            a.source.release()
            _ = try slow.text()
            // Either its own memory refused it already, or Redis does.
            try a.wait { a.tier.purgeCount > 0 }
            return (a.tier.counters.writes.count, try b.ask("q").reply().source)
        }()
        #expect(outdated == 0 && source == .computed)
    }

    @Test func `a purge that was missed is made good after Redis is back`() throws {
        let entries = try {
            let server = try RedisServer(["--appendonly", "yes", "--appendfsync", "always"])
            let (a, b) = (CacheNode("a", server), CacheNode("b", server))
            defer { CacheNode.stop(a, b) }
            a.source.release()
            b.source.release()
            _ = try b.ask("q").text()
            try b.wait { b.isReading }
            server.kill()
            a.cache.purge(.all)
            try server.start()
            try b.wait { b.cache.memory.counts.entries == 0 }
            return b.cache.memory.counts.entries
        }()
        #expect(entries == 0)
    }

    @Test func `a Redis that lost its data makes nodes purge what they have`() throws {
        let entries = try {
            let server = try RedisServer()
            let a = CacheNode("a", server)
            defer { CacheNode.stop(a) }
            a.source.release()
            try a.wait { a.isReading }
            a.cache.purge(.tag("other"))
            try a.wait { a.tier.purgeCount > 0 }
            _ = try a.ask("q").text()
            try a.command("FLUSHALL")
            try a.wait { a.cache.memory.counts.entries == 0 }
            return a.cache.memory.counts.entries
        }()
        #expect(entries == 0)
    }
}
