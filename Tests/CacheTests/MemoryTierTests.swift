@testable import Cache
import Primitives
import TestSupport
import Testing

/// Something to hang on an entry.
private final class Mark {}

@Suite(.blocking) struct MemoryTierTests {
    let start = MonotonicTime(nanoseconds: 1_000_000_000_000)

    @Test func `finds what was stored, without copying it`() throws {
        let tier = MemoryTier(.bytes(1 << 20))
        let body = Bytes("forty-two")
        tier.store("a", CacheContent(body: body), at: start)
        let entry = try #require(tier.find("a", at: start))
        #expect(entry.body === body)
        #expect(entry.body?.base == body.base)
        #expect(tier.find("b", at: start) == nil)
        let counts = tier.counts
        #expect(counts.hits == 1 && counts.misses == 1 && counts.entries == 1)
    }

    @Test func `an entry is gone once its hard expiry has passed`() {
        let tier = MemoryTier(.bytes(1 << 20))
        let lifetime = CacheLifetime(fresh: .seconds(10), staleIfError: .seconds(5))
        tier.store("a", CacheContent(body: Bytes("1")), at: start, lifetime)
        #expect(tier.find("a", at: start + .seconds(13)) != nil)
        #expect(tier.find("a", at: start + .seconds(15)) == nil)
        #expect(tier.counts.entries == 0 && tier.counts.expired == 1)
    }

    @Test func `entries that were computed together expire at different times`() {
        let tier = MemoryTier(.bytes(1 << 20))
        let key = Bytes("a")
        let ends = Set(
            (0..<100).map { _ in
                tier.entry(
                    key.span, CacheContent(body: Bytes("1")), computedAt: start,
                    lifetime: CacheLifetime(fresh: .seconds(100))
                ).freshUntil
            })
        #expect(ends.count > 50)
        #expect(ends.allSatisfy { $0 > start + .seconds(89) && $0 <= start + .seconds(100) })
    }

    @Test func `a sweep frees what nobody asks for any more`() {
        let tier = MemoryTier(.bytes(1 << 20))
        for key in 0..<500 {
            tier.store("k\(key)", CacheContent(body: Bytes("1")), at: start)
        }
        for _ in 0..<10 { tier.sweep(at: start + .seconds(101)) }
        #expect(tier.counts.entries == 0 && tier.counts.weight == 0)
    }

    @Test func `a newer generation is never replaced by an older one`() throws {
        let tier = MemoryTier(.bytes(1 << 20))
        tier.store("a", .stamped("new", 7), at: start)
        let late = tier.store("a", .stamped("old", 6), at: start + .seconds(1))
        #expect(!late.isStored)
        #expect(tier.find("a", at: start)?.body?.text == "new")
        tier.store("a", .stamped("newer", 8), at: start)
        #expect(tier.find("a", at: start)?.body?.text == "newer")
        #expect(tier.counts.entries == 1)
    }

    @Test func `a marker takes no value away, is replaced in place, and makes way for a value`() {
        let tier = MemoryTier(.bytes(1 << 20))
        for _ in 0..<10 { tier.store("a", CacheContent(marker: .failed), at: start) }
        #expect(tier.counts.entries == 1)
        #expect(tier.find("a", at: start)?.marker == .failed)
        tier.store("a", CacheContent(body: Bytes("1")), at: start)
        tier.store("a", CacheContent(marker: .notKept), at: start + .seconds(1))
        #expect(tier.find("a", at: start)?.body?.text == "1")
        #expect(tier.counts.entries == 1)
    }

    @Test func `purges by key, by tag and all`() {
        let tier = MemoryTier(.bytes(1 << 20))
        for key in 0..<100 {
            var content = CacheContent(body: Bytes("1"))
            content.tags = [CacheContent.tag(key % 2 == 0 ? "even" : "odd")]
            tier.store("k\(key)", content, at: start)
        }
        #expect(tier.purge("k1"))
        #expect(!tier.purge("k1"))
        #expect(tier.purge(tag: CacheContent.tag("even")) == 50)
        #expect(tier.find("k2", at: start) == nil && tier.find("k3", at: start) != nil)
        #expect(tier.purgeAll() == 49)
        #expect(tier.counts.weight == 0)
    }

    @Test func `what was purged while it was computed does not come back`() {
        let tier = MemoryTier(.bytes(1 << 20))
        let epoch = tier.purgeEpoch
        let key = Bytes("a")
        let entry = tier.entry(
            key.span, CacheContent(body: Bytes("1")), computedAt: start,
            lifetime: .hundredSeconds)
        tier.purge(tag: CacheContent.tag("any"))
        #expect(!tier.insert(entry, epoch: epoch).isStored)
        #expect(tier.insert(entry, epoch: tier.purgeEpoch).isStored)
    }

    @Test func `a refresh stores only where the entry that it refreshed still is`() throws {
        let tier = MemoryTier(.bytes(1 << 20))
        tier.store("a", .stamped("1", 1), at: start)
        let old = try #require(tier.find("a", at: start))
        let key = Bytes("a")
        let refreshed = tier.entry(
            key.span, .stamped("2", 2), computedAt: start, lifetime: .hundredSeconds)
        tier.store("a", .stamped("3", 3), at: start)
        #expect(!tier.insert(refreshed, refreshing: old).isStored)
        #expect(tier.find("a", at: start)?.body?.text == "3")
    }

    @Test func `large answers stay after they were loaded`() {
        let tier = MemoryTier(.bytes(8 << 20))
        for key in 0..<2000 {
            tier.store("s\(key)", CacheContent(body: Bytes.filled(4000)), at: start)
            _ = tier.find("s\(key)", at: start)
        }
        tier.store("large", CacheContent(body: Bytes.filled(1 << 20)), at: start)
        #expect(tier.find("large", at: start) != nil)
        tier.store("large2", CacheContent(body: Bytes.filled(1 << 20)), at: start)
        #expect(tier.find("large", at: start) != nil && tier.find("large2", at: start) != nil)
    }

    @Test func `refuses an entry that would empty a shard`() {
        let tier = MemoryTier(.bytes(1 << 20))
        let result = tier.store("a", CacheContent(body: Bytes.filled(300_000)), at: start)
        #expect(!result.isStored && tier.counts.entries == 0)
    }

    @Test func `an attachment goes with its entry, and the first one stays`() throws {
        let tier = MemoryTier(.bytes(1 << 20))
        tier.store("a", CacheContent(body: Bytes("1")), at: start)
        weak var first: Mark?
        do {
            let entry = try #require(tier.find("a", at: start))
            let mark = Mark()
            first = mark
            let kept = [entry.attach(mark), entry.attach(Mark()), entry.attachment]
            let areAllTheFirst = kept.allSatisfy { $0 === mark }
            #expect(areAllTheFirst)
        }
        let livesOn = first != nil
        tier.purgeAll()
        let isGone = first == nil
        #expect(livesOn && isGone)
    }

    /// Distinct keys and reused ones, of every size: the bound holds, and what is found is what was
    /// stored last.
    @Test(arguments: [UInt64(40), 400, 40_000])
    func `stays within its bound and never mixes keys up`(keyCount: UInt64) {
        var random = SeededGenerator.printingSeed("bound, \(keyCount) keys")
        let tier = MemoryTier(.bytes(1 << 20))
        var last: [UInt64: UInt64] = [:]
        var found = 0
        for step in 0..<UInt64(20_000) {
            let key = random.next() % keyCount
            if let entry = tier.find("k\(key)", at: start) {
                found += 1
                #expect(entry.body?.text.hasPrefix("\(last[key] ?? 0) ") == true)
            }
            if step % 3 == 0 {
                let size = Int(random.next() % 3000)
                let body = Bytes("\(step) " + String(repeating: "x", count: size))
                if tier.store("k\(key)", CacheContent(body: body), at: start).isStored {
                    last[key] = step
                } else if tier.find("k\(key)", at: start) == nil {
                    last[key] = nil
                }
            }
            if step % 97 == 0 { tier.purge("k\(random.next() % keyCount)") }
            if step % 500 == 0 { #expect(tier.counts.weight <= tier.capacity) }
        }
        #expect(found > 0)
        #expect(tier.counts.weight <= tier.capacity)
        let entries = tier.counts.entries
        #expect(tier.purgeAll() == entries)
        #expect(tier.counts.weight == 0 && tier.counts.entries == 0)
    }

    @Test func `threads that read, write and purge at once leave a whole tier`() throws {
        let counts = {
            let tier = MemoryTier(.bytes(64 << 20))
            let start = MonotonicTime(nanoseconds: 1_000_000_000_000)
            let threads = (0..<4).map { number in
                Thread(name: "tier-\(number)") {
                    var random = SeededGenerator(seed: UInt64(number))
                    for _ in 0..<20_000 {
                        let key = "k\(random.next() % 30_000)"
                        if let entry = tier.find(key, at: start) {
                            precondition(entry.body?.text == key)
                        } else {
                            tier.store(key, CacheContent(body: Bytes(key)), at: start)
                        }
                        if random.next() % 4096 == 0 { tier.purgeAll() }
                    }
                }
            }
            for thread in threads { thread.join() }
            let before = tier.counts
            #expect(tier.purgeAll() == before.entries)
            return tier.counts
        }()
        #expect(counts.entries == 0 && counts.weight == 0)
        #expect(counts.hits > 0)
    }
}

extension CacheLifetime {
    static let hundredSeconds = CacheLifetime(fresh: .seconds(100))
}

extension CacheContent {
    static func stamped(_ text: String, _ count: Int64) -> CacheContent {
        var content = CacheContent(body: Bytes(text))
        content.stamp = GenerationStamp(count: count, setHash: UInt64(bitPattern: count))
        return content
    }
}

extension Bytes {
    static func filled(_ count: Int) -> Bytes { Bytes([UInt8](repeating: 0x78, count: count)) }
}

extension MemoryTier {
    @discardableResult
    func store(
        _ key: String, _ content: CacheContent, at now: MonotonicTime,
        _ lifetime: CacheLifetime = .hundredSeconds
    ) -> MemoryInsertion {
        let key = Bytes(key)
        return withExtendedLifetime(key) {
            insert(entry(key.span, content, computedAt: now, lifetime: lifetime))
        }
    }

    @discardableResult
    func purge(_ key: String) -> Bool {
        let key = Bytes(key)
        return withExtendedLifetime(key) { purge(key: key.span) }
    }

    func find(_ key: String, at now: MonotonicTime) -> CacheEntry? {
        let key = Bytes(key)
        return withExtendedLifetime(key) { get(key.span, at: now) }
    }
}
