@testable import Cache
import Primitives
import Redis
import Telemetry
import TestSupport
import Testing

/// Nodes that share answers through a real Redis.
@Suite(.serialized) struct RedisTierTests {
    @Test func `a node uses what another one has computed over the same data`() throws {
        let (text, runs, source, cost) = try {
            let server = try RedisServer()
            let (a, b) = (CacheNode("a", server), CacheNode("b", server))
            defer { CacheNode.stop(a, b) }
            a.source.release()
            b.source.release()
            a.source.padding = String(repeating: " and so on", count: 500)
            let text = try a.share("q")
            let reply = try b.find("q")
            return (
                reply.entry.body?.text == text, b.source.runs, reply.source,
                reply.entry.gzipBody?.count ?? 0
            )
        }()
        #expect(text && runs >= 0 && source == .redis)
        #expect(cost > 0 && cost < 1000)
    }

    @Test func `an answer over other data with the same count is none`() throws {
        let (runs, source) = try {
            let server = try RedisServer()
            let (a, b) = (CacheNode("a", server), CacheNode("b", server))
            defer { CacheNode.stop(a, b) }
            a.source.release()
            b.source.release()
            a.source.change(setHash: 77)
            b.source.change(setHash: 78)
            try a.share("q")
            let reply = try b.ask("q").reply()
            return (b.source.runs, reply.source)
        }()
        #expect(runs == 1 && source == .computed)
    }

    @Test func `an entry whose data is the same is not fetched from Redis again`() throws {
        let (entries, sources, runs, hits) = try {
            let server = try RedisServer()
            let a = CacheNode("a", server)
            defer { CacheNode.stop(a) }
            a.source.release()
            try a.share("q")
            let runs = a.source.runs
            // The feed of purges may have emptied memory when it began: the first answer is Redis's then.
            let first = try a.ask("q").reply()
            let before = a.tier.counters.hits.count
            let second = try a.revalidate("q")
            let hit = try a.revalidate("q")
            return (
                first.entry === second.entry && first.entry === hit.entry,
                [second, hit].map(\.state), a.source.runs - runs,
                a.tier.counters.hits.count - before
            )
        }()
        #expect(entries && sources == [.miss, .hit] && runs == 0 && hits == 0)
    }

    @Test func `who asks after a change does not get what Redis had before it`() throws {
        let (first, second) = try {
            let server = try RedisServer()
            let (a, b) = (CacheNode("a", server), CacheNode("b", server))
            defer { CacheNode.stop(a, b) }
            a.source.release()
            b.source.release()
            try a.share("q")
            // Redis answers in time at some attempt, on any machine.
            while true {
                let seen = try b.askBesideChange("q")
                if seen.0 == .redis { return seen }
            }
        }()
        #expect(first == .redis && second == .computed)
    }

    @Test func `a slower node never replaces a fresher answer`() throws {
        let (outdated, wanted) = try {
            let server = try RedisServer()
            let (a, b, c) = (CacheNode("a", server), CacheNode("b", server), CacheNode("c", server))
            defer { CacheNode.stop(a, b, c) }
            for node in [a, b, c] { node.source.release() }
            a.source.change(setHash: 5)
            a.source.change(setHash: 6)
            try a.share("q")
            try b.wait {
                _ = try b.ask("q", mode: .refresh).text()
                return b.tier.counters.writesOutdated.count > 0
            }
            c.source.change(setHash: 5)
            c.source.change(setHash: 6)
            return (b.tier.counters.writes.count, try c.find("q").source)
        }()
        #expect(outdated == 0 && wanted == .redis)
    }

    @Test func `of two nodes one computes, and the other waits for it`() throws {
        let (texts, runs) = try {
            let server = try RedisServer()
            let (a, b) = (CacheNode("a", server), CacheNode("b", server))
            defer { CacheNode.stop(a, b) }
            b.source.release()
            var seen: [String] = []
            // A machine that stalls for longer than a call may take is not what is tested.
            try a.wait {
                let key = "q\(seen.count)"
                a.source.hold()
                let first = a.ask(key)
                a.source.waitForHeld(1)
                let second = b.ask(key)
                sleep(until: .after(.milliseconds(20)))
                a.source.release()
                _ = try first.text()
                seen.append(try second.reply().source == .redis ? "waited" : "computed")
                return seen.last == "waited"
            }
            return (seen.last, b.source.runs == seen.count - 1)
        }()
        #expect(texts == "waited" && runs)
    }

    @Test func `a node whose computing hangs keeps others for a bounded time`() throws {
        let (text, took) = try {
            let server = try RedisServer()
            let (a, b) = (CacheNode("a", server), CacheNode("b", server))
            defer { CacheNode.stop(a, b) }
            b.source.release()
            _ = a.ask("q")
            a.source.waitForHeld(1)
            let start = MonotonicTime.now()
            let text = try b.ask("q").text()
            return (text, MonotonicTime.now().since(start))
        }()
        #expect(text == "q 1")
        #expect(took < .seconds(2) * slowness)
    }

    @Test func `foreign and damaged values are misses`() throws {
        let (sources, damaged) = try {
            let server = try RedisServer()
            let (a, b) = (CacheNode("a", server), CacheNode("b", server))
            defer { CacheNode.stop(a, b) }
            a.source.release()
            b.source.release()
            let key = Bytes("q")
            let keys = SharedKeys(key: key.span, tags: [])
            try a.share("q")
            var damaged = CacheReply.Source.redis
            try b.wait {
                b.cache.memory.purgeAll()
                try a.command("SETRANGE", keys.value, "150", "!")
                damaged = try b.ask("q").reply().source
                return b.tier.counters.damaged.count > 0
            }
            // Another key: the answer that was computed just now may still be on its way to Redis.
            let other = Bytes("r")
            let otherKeys = SharedKeys(key: other.span, tags: [])
            try a.share("r")
            try a.command("SET", otherKeys.value, "something else", "PX", "60000")
            let foreign = try b.ask("r").reply().source
            return ([damaged, foreign], b.tier.counters.damaged.count)
        }()
        #expect(sources == [.computed, .computed] && damaged > 0)
    }

    @Test func `an answer from before this host was up is none`() throws {
        let texts = try {
            let server = try RedisServer()
            let a = CacheNode("a", server)
            defer { CacheNode.stop(a) }
            a.source.release()
            let key = Bytes("q")
            var content = CacheContent(body: Bytes("old"))
            content.stamp = a.source.present()
            let now = MonotonicTime.now()
            let entry = a.cache.memory.entry(
                key.span, content, computedAt: now, lifetime: .hundredSeconds)
            // In 1970, by the clock of the node that computed it.
            let value = try #require(
                SharedEntry.encode(entry, purgeCount: 0, wallTime: 0, now: now))
            var texts: [String] = []
            // On a busy machine a call may take too long.
            try a.wait {
                a.cache.memory.purgeAll()
                try a.store(value, at: SharedKeys(key: key.span, tags: []).value)
                texts.append(try a.ask("q").text())
                return a.tier.counters.hits.count > 0
            }
            return texts
        }()
        #expect(!texts.contains("old"), "\(texts)")
    }

    @Test func `every key has a time to live`() throws {
        let times = try {
            let server = try RedisServer()
            let a = CacheNode("a", server)
            defer { CacheNode.stop(a) }
            a.source.release()
            try a.share("q")
            a.cache.purge(.tag("other"))
            try a.wait { try a.keys().count >= 4 }
            return try a.keys().map { try a.command("PTTL", $0)?.integer ?? -1 }
        }()
        #expect(times.allSatisfy { $0 > 0 }, "\(times)")
    }

    @Test func `with Redis stopped, questions are answered as if there were none`() throws {
        let (first, later, runs) = try {
            let server = try RedisServer()
            let a = CacheNode("a", server)
            defer { CacheNode.stop(a) }
            a.source.release()
            _ = try a.ask("warm").text()
            server.pause()
            defer { server.resume() }
            let start = MonotonicTime.now()
            _ = try a.ask("q0").text()
            let first = MonotonicTime.now().since(start)
            var longest = Duration.zero
            for number in 1...20 {
                let start = MonotonicTime.now()
                _ = try a.ask("q\(number)").text()
                longest = max(longest, MonotonicTime.now().since(start))
            }
            return (first, longest, a.source.runs)
        }()
        #expect(first < .seconds(2) * slowness && later < .seconds(2) * slowness)
        #expect(runs == 22)
    }

    @Test func `a full Redis is read all the same, and not asked to store more`() throws {
        let (source, refused, written, isOpen) = try {
            let server = try RedisServer(["--maxmemory-policy", "noeviction"])
            let a = CacheNode("a", server)
            defer { CacheNode.stop(a) }
            a.source.release()
            try a.share("q")
            try a.command("CONFIG", "SET", "maxmemory", "1")
            try a.wait {
                _ = try a.ask("other", mode: .refresh).text()
                return a.tier.counters.writesRefused.count > 0
            }
            let before = (a.tier.counters.writesRefused.count, a.tier.counters.writes.count)
            for number in 0..<30 { _ = try a.ask("q\(number)").text() }
            let source = try a.find("q").source
            return (
                source, a.tier.counters.writesRefused.count - before.0,
                a.tier.counters.writes.count - before.1, a.isOpen
            )
        }()
        #expect(source == .redis && refused == 0 && written == 0)
        #expect(!isOpen)
    }

    @Test func `any byte that is changed makes a value a miss`() throws {
        var random = SeededGenerator.printingSeed("damage")
        var content = CacheContent(body: Bytes(String(repeating: "abc", count: 1000)))
        content.stamp = GenerationStamp(count: 7, setHash: .max)
        content.tags = [1, 2, 3]
        content.detail = CacheDetail(kind: 2, flags: 1, label: "W/\"x\"")
        content.compress(until: .never)
        let key = Bytes("the key")
        let now = MonotonicTime.now()
        let tier = MemoryTier(.bytes(1 << 20))
        let entry = tier.entry(
            key.span, content, computedAt: now, lifetime: .hundredSeconds)
        let value = try #require(
            SharedEntry.encode(entry, purgeCount: 12, wallTime: 1_800_000_000_000, now: now))
        let whole = try #require(
            SharedEntry.decode(value.span, key: key.span, bodyLimit: 1 << 20))
        #expect(whole.content.body?.text == content.body?.text)
        #expect(whole.content.gzipBody?.text == content.gzipBody?.text)
        #expect(whole.content.stamp == content.stamp && whole.content.tags == content.tags)
        #expect(whole.content.detail == content.detail)
        #expect(whole.computedAt == 1_800_000_000_000)
        let other = Bytes("other key")
        #expect(SharedEntry.decode(value.span, key: other.span, bodyLimit: 1 << 20) == nil)
        #expect(SharedEntry.decode(value.span, key: key.span, bodyLimit: 100) == nil)
        for _ in 0..<500 {
            var bytes = Array(value.span)
            if random.next() % 4 == 0 {
                bytes.removeLast(1 + Int(random.next() % UInt64(bytes.count)))
            } else {
                bytes[Int(random.next() % UInt64(bytes.count))] ^= UInt8(1 + random.next() % 255)
            }
            let damaged = Bytes(bytes)
            let found = SharedEntry.decode(damaged.span, key: key.span, bodyLimit: 1 << 20)
            #expect(found == nil)
        }
    }
}
