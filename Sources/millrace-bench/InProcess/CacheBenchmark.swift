import Cache
import Primitives

/// A hit in the memory tier: 65,536 entries of 600 bytes, more than the processor's own caches hold.
final class CacheBenchmark: Benchmark {
    static let name = "cache"
    static let summary = "get of a hit in the memory tier, by one thread and by two"

    private static let entryCount = 65_536
    private static let hotCount = 16
    private static let bodyBytes = 600
    /// Gets to one reading of the watch, whose own reading would cost a third of one.
    private static let getCount = 1000

    private let tier = MemoryTier(.bytes(256 << 20))
    private let keys: [Bytes]

    init(_ bench: Bench) throws(BenchFailure) {
        keys = (0..<CacheBenchmark.entryCount).map { Bytes("query:v1:\($0 * 7919)µs") }
        let now = MonotonicTime.now()
        let body = [UInt8](repeating: 0x61, count: CacheBenchmark.bodyBytes)
        for key in keys {
            let content = CacheContent(body: Bytes(body))
            tier.insert(
                tier.entry(
                    key.span, content, computedAt: now,
                    lifetime: CacheLifetime(fresh: .seconds(100_000))))
        }
        guard tier.counts.entries == CacheBenchmark.entryCount else {
            throw BenchFailure("not all entries fit: \(tier.counts)")
        }
    }

    var sides: [Side] {
        [
            side("one thread", threads: 1, keys: CacheBenchmark.entryCount),
            side("two threads", threads: 2, keys: CacheBenchmark.entryCount),
            side("one thread, 16 keys", threads: 1, keys: CacheBenchmark.hotCount),
            side("two threads, 16 keys", threads: 2, keys: CacheBenchmark.hotCount),
        ]
    }

    func finish() throws(BenchFailure) -> [SideFigures] {
        let counts = tier.counts
        guard counts.misses == 0 else { throw BenchFailure("\(counts.misses) gets missed") }
        return [
            SideFigures(
                side: "one thread",
                figures: [Figure("weight/entry", .bytes, Double(counts.weight / counts.entries))])
        ]
    }

    private func side(_ name: String, threads: Int, keys: Int) -> Side {
        let (tier, all) = (tier, self.keys)
        return Side(name: name) { (time) throws(BenchFailure) in
            let results = Locked<[CacheRun]>([])
            let running = (0..<threads).map { number in
                Thread(name: "get-\(number)") {
                    let run = CacheRun(tier, all, from: number * keys / threads, of: keys)
                        .running(for: time, CacheBenchmark.getCount)
                    results.withLock { $0.append(run) }
                }
            }
            for thread in running { thread.join() }
            return CacheRun.figures(results.withLock { $0 })
        }
    }
}

/// What one thread got.
private struct CacheRun: Sendable {
    private let tier: MemoryTier
    private let keys: [Bytes]
    private let first: Int
    private let keyCount: Int
    private(set) var gets = 0
    private(set) var elapsed = Duration.zero
    private(set) var allocations: UInt64?

    init(_ tier: MemoryTier, _ keys: [Bytes], from first: Int, of keyCount: Int) {
        self.tier = tier
        self.keys = keys
        self.first = first
        self.keyCount = keyCount
    }

    func running(for time: Duration, _ batch: Int) -> CacheRun {
        var run = self
        let start = MonotonicTime.now()
        let before = AllocationCount.now
        var now = start
        var place = first
        var found = 0
        while now < start + time {
            for _ in 0..<batch {
                // The answer itself is not read: that is its caller's affair.
                if tier.get(keys[place].span, at: now) != nil { found += 1 }
                place = place + 1 == keyCount ? 0 : place + 1
            }
            run.gets += batch
            now = .now()
        }
        run.elapsed = now.since(start)
        run.allocations = AllocationCount.now.flatMap { now in before.map { now - $0 } }
        precondition(found == run.gets)
        return run
    }

    /// Time by the wall over all gets, as Go's benchmarks count it for several threads.
    static func figures(_ runs: [CacheRun]) -> [Figure] {
        let gets = runs.reduce(0) { $0 + $1.gets }
        let longest = runs.map(\.elapsed).max() ?? .zero
        let each = Double(longest.wholeNanoseconds) / Double(max(gets, 1))
        let allocations = runs.compactMap(\.allocations)
        guard allocations.count == runs.count else { return [Figure("get", .nanoseconds, each)] }
        let allocated = Double(allocations.reduce(0, +)) / Double(max(gets, 1))
        return [
            Figure("get", .nanoseconds, each), Figure("allocations/get", .count, allocated),
        ]
    }
}
