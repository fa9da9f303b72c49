@testable import Cache
import Primitives
import TestSupport
import Testing

/// What the memory tier keeps, beside what LRU would have kept, over made traces: several hundred
/// sizes of the cache long, so that finding the right window is part of what is judged.
@Suite struct PolicyTests {
    /// Below, at and above sizes at which other adaptive caches change their ways.
    static let sizes = [512, 513, 1024, 2048, 4096, 4097, 8192]

    @Test(arguments: sizes)
    func `keeps up with LRU where what was just asked for is asked for again`(size: Int) {
        var maker = TraceMaker(seed: 1)
        let trace = maker.pairs(count: 40 * size, longest: size / 2)
        let result = PolicyResult(trace, size: size)
        #expect(result.ours >= result.lru - 0.01, "\(result)")
    }

    @Test(arguments: sizes)
    func `follows recency, five times a loop, and recency again`(size: Int) {
        var maker = TraceMaker(seed: 2)
        let recency = maker.pairs(count: 40 * size, longest: size / 2)
        let loop = maker.loop(length: 2 * size, count: 10 * size)
        let again = maker.pairs(count: 40 * size, longest: size / 2)
        let result = PolicyResult(recency + loop + again, size: size)
        #expect(result.ours >= result.lru - 0.01, "\(result)")
    }

    @Test(arguments: [128, 512, 1000, 4097], [1.2, 3.0])
    func `keeps most of what fits of a loop that is larger`(size: Int, factor: Double) {
        var maker = TraceMaker(seed: 3)
        let length = Int(Double(size) * factor)
        let result = PolicyResult(maker.loop(length: length, count: length * 40), size: size)
        #expect(result.lru == 0)
        #expect(result.ours > 0.5 / factor, "\(result)")
    }

    @Test(arguments: [512, 4096])
    func `prefers what is asked for often to what is scanned once`(size: Int) {
        var maker = TraceMaker(seed: 4)
        let trace = maker.popular(count: 60 * size, keys: 20 * size)
        let result = PolicyResult(trace, size: size)
        #expect(result.ours > result.lru + 0.04, "\(result)")
    }

    @Test(arguments: [512, 4097])
    func `keeps up with LRU while what is popular drifts`(size: Int) {
        var maker = TraceMaker(seed: 5)
        let trace = maker.drifting(count: 60 * size, keys: 3 * size, step: 4)
        let result = PolicyResult(trace, size: size)
        #expect(result.ours >= result.lru - 0.01, "\(result)")
    }

    @Test func `a key that is asked for often gets in where victims are asked for as often`() {
        let tier = MemoryTier(.entries(64), hashKey: Key128(high: 1, low: 2))
        let start = MonotonicTime(nanoseconds: 1 << 40)
        // Residents with the highest count, as an attacker would make them.
        for _ in 0..<20 {
            for key in 0..<64 where tier.find("r\(key)", at: start) == nil {
                tier.store("r\(key)", CacheContent(marker: .notKept), at: start)
            }
        }
        var isIn = false
        for _ in 0..<4000 where !isIn {
            isIn = tier.find("late", at: start) != nil
            if !isIn { tier.store("late", CacheContent(marker: .notKept), at: start) }
            for key in 0..<64 { _ = tier.find("r\(key)", at: start) }
        }
        #expect(isIn)
    }

    @Test func `the sketch never counts too little, and halves what is old`() {
        var sketch = FrequencySketch(entries: 512)
        defer { sketch.destroy() }
        var random = SeededGenerator.printingSeed("sketch")
        let hashes = (0..<100).map { _ in random.next() }
        for (index, hash) in hashes.enumerated() {
            for _ in 0..<index % 15 { sketch.count(hash) }
        }
        for (index, hash) in hashes.enumerated() {
            #expect(sketch.frequency(hash) >= index % 15)
        }
        sketch.grow(toEntries: 5000)
        for (index, hash) in hashes.enumerated() {
            #expect(sketch.frequency(hash) >= index % 15)
        }
        for _ in 0..<200_000 { sketch.count(random.next()) }
        #expect(hashes.allSatisfy { sketch.frequency($0) < 15 })
    }

    @Test func `the index finds exactly what a dictionary does`() {
        var index = NodeIndex()
        defer { index.destroy() }
        var model: [UInt64: UInt32] = [:]
        var random = SeededGenerator.printingSeed("index")
        for step in 0..<20_000 {
            // Few distinct upper halves, so that probes run into each other.
            let hash = (random.next() % 700) << 32 | random.next() % 3
            if let node = model.removeValue(forKey: hash) {
                index.remove(hash, node)
            } else {
                model[hash] = UInt32(step + 3)
                index.insert(hash, UInt32(step + 3), UInt(step))
            }
            if step % 100 == 0 {
                for (hash, node) in model {
                    let found = index.find(hash) { $0 == node && $1 == UInt(node) - 3 }
                    #expect(found == node)
                }
                #expect(index.count == model.count)
            }
        }
    }
}

/// Shares of hits, ours and LRU's.
struct PolicyResult: CustomStringConvertible {
    let ours: Double
    let lru: Double

    init(_ trace: [UInt64], size: Int) {
        ours = PolicyResult.ours(trace, size)
        lru = PolicyResult.lru(trace, size)
    }

    var description: String { "ours \(ours), LRU \(lru)" }

    private static func ours(_ trace: [UInt64], _ size: Int) -> Double {
        let tier = MemoryTier(.entries(size), hashKey: Key128(high: 3, low: 4))
        let now = MonotonicTime(nanoseconds: 1 << 40)
        var hits = 0
        for key in trace {
            withUnsafeBytes(of: key) { name in
                if tier.get(name, at: now) != nil {
                    hits += 1
                } else {
                    tier.insert(
                        tier.entry(
                            name, CacheContent(marker: .notKept), computedAt: now,
                            lifetime: .hundredSeconds))
                }
            }
        }
        return Double(hits) / Double(trace.count)
    }

    /// By the time of last use: what lies further back than `size` distinct keys is a miss.
    private static func lru(_ trace: [UInt64], _ size: Int) -> Double {
        var lastUse: [UInt64: Int] = [:]
        var order: [(key: UInt64, use: Int)] = []
        var first = 0
        var hits = 0
        for (place, key) in trace.enumerated() {
            if lastUse[key] != nil { hits += 1 }
            lastUse[key] = place
            order.append((key, place))
            while lastUse.count > size {
                if lastUse[order[first].key] == order[first].use {
                    lastUse[order[first].key] = nil
                }
                first += 1
            }
        }
        return Double(hits) / Double(trace.count)
    }
}

/// Makes traces that favour one way of keeping or another.
struct TraceMaker {
    private var random: SeededGenerator
    private var nextKey: UInt64 = 1 << 40

    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    /// New keys, each asked for once more up to `longest` questions later.
    mutating func pairs(count: Int, longest: Int) -> [UInt64] {
        var trace: [UInt64] = []
        var due: [Int: [UInt64]] = [:]
        var step = 0
        while trace.count < count {
            step += 1
            trace += due.removeValue(forKey: step) ?? []
            nextKey += 1
            trace.append(nextKey)
            due[step + 1 + Int(random.next() % UInt64(longest)), default: []].append(nextKey)
        }
        return trace
    }

    mutating func loop(length: Int, count: Int) -> [UInt64] {
        nextKey += UInt64(length)
        return (0..<count).map { nextKey - UInt64($0 % length) }
    }

    /// A key's popularity falls with its number (Zipf, exponent about 1).
    mutating func popular(count: Int, keys: Int) -> [UInt64] {
        (0..<count).map { _ in UInt64(rank(keys)) }
    }

    /// The same, where every `step` questions the least popular key leaves and a new one comes.
    mutating func drifting(count: Int, keys: Int, step: Int) -> [UInt64] {
        (0..<count).map { UInt64(rank(keys) + $0 / step) }
    }

    private mutating func rank(_ keys: Int) -> Int {
        let chance = Double(random.next() >> 11) / Double(1 << 53)
        // keys^chance is 1/x distributed.
        var (rank, low, high) = (0, 1, keys)
        // By halving, as there is no power function without another import.
        var share = chance
        while low < high {
            let middle = TraceMaker.root(low, high)
            share *= 2
            if share >= 1 {
                share -= 1
                low = middle
            } else {
                high = middle
            }
            if high - low <= 1 { break }
        }
        rank = low
        return rank
    }

    /// The middle of two numbers by their ratio.
    private static func root(_ low: Int, _ high: Int) -> Int {
        let middle = Int((Double(low) * Double(high)).squareRoot())
        return min(max(middle, low + 1), high)
    }
}
