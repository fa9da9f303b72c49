import Cache
import Primitives

/// Hits of three caches of the same size over one trace.
struct ReplayResult {
    let size: ReplaySize
    let questions: Int
    let lru: Int
    let ours: Int
    let optimum: Int

    init(_ trace: CacheTrace, _ size: ReplaySize) {
        self.size = size
        questions = trace.keys.count
        // Every cache counts a key alike: its size and what an entry takes up beside it.
        let weights: [Int] =
            switch size {
            case .entries: [Int](repeating: 1, count: trace.keyCount)
            case .bytes:
                trace.sizes.map {
                    $0 + CacheEntry.overheadBytes + MemoryLayout<Int32>.size
                }
            }
        lru = ReplayResult.lruHits(trace, weights, capacity: size.capacity)
        ours = ReplayResult.tierHits(trace, size)
        optimum = ReplayResult.optimumHits(trace, weights, capacity: size.capacity)
    }

    var line: String {
        "  \(size.text): LRU \(percent(lru)) %, ours \(percent(ours)) %,"
            + " optimum \(percent(optimum)) %"
    }

    var json: JSONValue {
        .object([
            (size.unit, .integer(Int64(size.capacity))), ("lru_hits", .integer(Int64(lru))),
            ("hits", .integer(Int64(ours))), ("optimum_hits", .integer(Int64(optimum))),
        ])
    }

    private func percent(_ hits: Int) -> String {
        FigureText.format(Double(hits) * 100 / Double(max(questions, 1)), .ratio)
    }

    /// The real memory tier, filled after each miss.
    static func tierHits(_ trace: CacheTrace, _ size: ReplaySize) -> Int {
        // Repeatable: the same trace has the same hits.
        let key = Key128(high: 0x6869_7473, low: 0x7265_706C)
        let tier: MemoryTier
        switch size {
        case .entries(let count): tier = MemoryTier(.entries(count), hashKey: key)
        case .bytes(let count): tier = MemoryTier(.bytes(count), hashKey: key)
        }
        let now = MonotonicTime.now()
        let lifetime = CacheLifetime(fresh: .seconds(1_000_000))
        var hits = 0
        for key in trace.keys {
            withUnsafeBytes(of: key) { name in
                if tier.get(name, at: now) != nil {
                    hits += 1
                    return
                }
                var content = CacheContent(marker: .notKept)
                content.attachedBytes = trace.sizes[Int(key)]
                tier.insert(tier.entry(name, content, computedAt: now, lifetime: lifetime))
            }
        }
        return hits
    }

    /// The one that was asked for last stays longest.
    static func lruHits(_ trace: CacheTrace, _ weights: [Int], capacity: Int) -> Int {
        // A circular list over the keys, with an end of its own.
        let end = trace.keyCount
        var previous = [Int](repeating: -1, count: end + 1)
        var next = previous
        previous[end] = end
        next[end] = end
        func unlink(_ key: Int) {
            next[previous[key]] = next[key]
            previous[next[key]] = previous[key]
            next[key] = -1
        }
        var (hits, used) = (0, 0)
        for key in trace.keys.lazy.map(Int.init) {
            if next[key] >= 0 {
                hits += 1
                unlink(key)
                used -= weights[key]
            }
            guard weights[key] <= capacity else { continue }
            while used + weights[key] > capacity {
                let oldest = next[end]
                unlink(oldest)
                used -= weights[oldest]
            }
            previous[key] = previous[end]
            next[key] = end
            next[previous[end]] = key
            previous[end] = key
            used += weights[key]
        }
        return hits
    }

    /// What is asked for again last goes (Belady, 1966): no cache that keeps every new key has more
    /// hits, where all keys weigh the same.
    static func optimumHits(_ trace: CacheTrace, _ weights: [Int], capacity: Int) -> Int {
        let never = trace.keys.count
        var nextUse = [Int](repeating: never, count: trace.keys.count)
        var seen = [Int](repeating: never, count: trace.keyCount)
        for place in trace.keys.indices.reversed() {
            nextUse[place] = seen[Int(trace.keys[place])]
            seen[Int(trace.keys[place])] = place
        }
        var heap = UseHeap()
        // When the key is asked for next, if the cache holds it; older heap items are void.
        var held = [Int](repeating: -1, count: trace.keyCount)
        var (hits, used) = (0, 0)
        for place in trace.keys.indices {
            let key = Int(trace.keys[place])
            if held[key] >= 0 {
                hits += 1
                used -= weights[key]
            }
            held[key] = -1
            guard weights[key] <= capacity else { continue }
            while used + weights[key] > capacity, let last = heap.pop() {
                guard held[last.key] == last.use else { continue }
                held[last.key] = -1
                used -= weights[last.key]
            }
            held[key] = nextUse[place]
            used += weights[key]
            heap.push(UseHeap.Item(use: nextUse[place], key: key))
        }
        return hits
    }
}

/// A binary heap with the latest use on top.
private struct UseHeap {
    struct Item {
        var use: Int
        var key: Int
    }

    private var items: [Item] = []

    mutating func push(_ item: Item) {
        items.append(item)
        var place = items.count - 1
        while place > 0, items[(place - 1) / 2].use < items[place].use {
            items.swapAt(place, (place - 1) / 2)
            place = (place - 1) / 2
        }
    }

    mutating func pop() -> Item? {
        guard let last = items.popLast() else { return nil }
        guard let top = items.first else { return last }
        items[0] = last
        var place = 0
        while true {
            var largest = place
            for child in [2 * place + 1, 2 * place + 2]
            where child < items.count && items[child].use > items[largest].use {
                largest = child
            }
            if largest == place { return top }
            items.swapAt(place, largest)
            place = largest
        }
    }
}
