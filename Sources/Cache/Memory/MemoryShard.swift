import Primitives

/// One part of the memory tier: entries, the index that finds them and the policy that chooses
/// among them, all changed together under one lock. A map and a policy that are changed apart lose
/// entries or grow without bound.
///
/// A hit needs no more than the stripe of its thread, and is only noted there. Sixty-four of them are
/// told to policy and sketch together, which reads their nodes at the same time instead of one after
/// the other; and before anything is added or removed, so that it makes no difference to what stays.
/// Only where another thread has the lock just then are they forgotten: waiting for it would cost more
/// than what a few hits tell of so many.
///
/// Invariants, whenever the lock is free:
/// - the index holds exactly the nodes that the policy has in use, each under its entry's hash and
///   with its entry's address;
/// - `entries[node]` is retained once for each of them;
/// - the sum of their weights is at most the capacity.
///
/// Index and entries are changed with the lock and all stripes, and read with either. The lock comes
/// first; with a stripe, it is only tried.
final class MemoryShard: @unchecked Sendable {  // `lock` and `stripes` guard all else.
    private let lock = BareLock()
    private let stripes = HitStripes()
    private var policy: WindowPolicy
    private var index = NodeIndex()
    private var sketch: FrequencySketch
    private var entries: UnsafeMutablePointer<Unmanaged<CacheEntry>?>
    private var entryCapacity: Int
    private var windowShare: Double
    private var counts = MemoryCounts()
    /// Where the next sweep goes on.
    private var sweepPlace: UInt32 = 0
    private let weighsBytes: Bool

    init(capacity: Int, weighsBytes: Bool, expectedEntries: Int, windowShare: Double, seed: UInt64)
    {
        policy = WindowPolicy(capacity: capacity, windowShare: windowShare, seed: seed)
        sketch = FrequencySketch(entries: expectedEntries)
        entryCapacity = 64
        entries = .allocate(capacity: entryCapacity)
        entries.initialize(repeating: nil, count: entryCapacity)
        self.windowShare = windowShare
        self.weighsBytes = weighsBytes
    }

    deinit {
        for node in 0..<entryCapacity { entries[node]?.release() }
        entries.deallocate()
        policy.destroy()
        index.destroy()
        sketch.destroy()
    }

    /// The entry of this key, and the question counted, whatever comes of it.
    func get(_ hash: Key128, at now: MonotonicTime) -> CacheEntry? {
        let stripe = stripes.own
        stripe.lock()
        let (node, found) = find(hash)
        guard let found else {
            stripe.unlock()
            countMiss(hash, at: now, isExpired: false)
            return nil
        }
        guard found._withUnsafeGuaranteedRef({ now < $0.hardExpiry }) else {
            stripe.unlock()
            countMiss(hash, at: now, isExpired: true)
            return nil
        }
        let entry = found.takeUnretainedValue()
        if stripe.note(node) {
            if lock.tryLock() {
                tellHits(of: stripe)
                lock.unlock()
            }
            stripe.forget()
        }
        stripe.unlock()
        return entry
    }

    /// - Parameter isExpired: an entry is there that must go, if it still is.
    private func countMiss(_ hash: Key128, at now: MonotonicTime, isExpired: Bool) {
        lock.lock()
        sketch.count(hash.low)
        counts.misses &+= 1
        var gone: Unmanaged<CacheEntry>?
        if isExpired {
            let (node, found) = find(hash)
            if let found, found._withUnsafeGuaranteedRef({ $0.hardExpiry <= now }) {
                beginChange()
                take(node, hash.low)
                stripes.unlockAll()
                counts.expired &+= 1
                gone = found
            }
        }
        lock.unlock()
        gone?.release()
    }

    /// The entry of this key, without a trace.
    func peek(_ hash: Key128) -> CacheEntry? {
        let stripe = stripes.own
        stripe.lock()
        defer { stripe.unlock() }
        return find(hash).entry?.takeUnretainedValue()
    }

    /// Stores `entry`, or replaces the one of its key, if `mayReplace` agrees. What must go for it
    /// goes; that may be `entry` itself.
    func insert(
        _ entry: CacheEntry, windowShare: Double, if isWanted: (CacheEntry?) -> Bool
    ) -> MemoryInsertion {
        let weight = UInt32(clamping: weighsBytes ? entry.weight : 1)
        var gone: [Unmanaged<CacheEntry>] = []
        lock.lock()
        beginChange()
        if windowShare != self.windowShare {
            self.windowShare = windowShare
            policy.setWindow(share: windowShare)
        }
        let (node, before) = find(entry.identity)
        guard isWanted(before?.takeUnretainedValue()) else {
            counts.outdated &+= 1
            endChange()
            return MemoryInsertion(isStored: false, evictedCount: 0)
        }
        var isStored = true
        if let before {
            before._withUnsafeGuaranteedRef { $0.leave() }
            gone.append(before)
            entries[Int(node)] = Unmanaged.passRetained(entry)
            index.replace(entry.hash, node, MemoryShard.address(entry))
            policy.reweigh(node, weight, cost: entry.costClass)
        } else {
            add(entry, weight)
        }
        var evictedCount = 0
        policy.evict(sketch) { victim, hash in
            guard let old = entries[Int(victim)] else { return }
            isStored = isStored && old.toOpaque() != Unmanaged.passUnretained(entry).toOpaque()
            old._withUnsafeGuaranteedRef { $0.leave() }
            gone.append(old)
            entries[Int(victim)] = nil
            index.remove(hash, victim)
            evictedCount += 1
        }
        counts.inserted &+= 1
        counts.evicted &+= Int64(evictedCount)
        endChange()
        // Freeing may take microseconds, which the lock must not wait for.
        for old in gone { old.release() }
        return MemoryInsertion(isStored: isStored, evictedCount: evictedCount)
    }

    /// Removes the entry of this key, if `isMeant`.
    func remove(_ hash: Key128, if isMeant: (CacheEntry) -> Bool) -> Bool {
        lock.lock()
        beginChange()
        let (node, found) = find(hash)
        guard let found, found._withUnsafeGuaranteedRef({ isMeant($0) }) else {
            endChange()
            return false
        }
        take(node, hash.low)
        counts.purged &+= 1
        endChange()
        found.release()
        return true
    }

    /// Removes every entry for which `isMeant` holds.
    func removeAll(where isMeant: (CacheEntry) -> Bool) -> Int {
        var gone: [Unmanaged<CacheEntry>] = []
        lock.lock()
        beginChange()
        for node in policy.usedNodes {
            guard Int(node) < entryCapacity, let entry = entries[Int(node)],
                entry._withUnsafeGuaranteedRef({ isMeant($0) })
            else { continue }
            take(node, entry._withUnsafeGuaranteedRef { $0.hash })
            gone.append(entry)
        }
        counts.purged &+= Int64(gone.count)
        endChange()
        for entry in gone { entry.release() }
        return gone.count
    }

    /// Removes entries that have expired among the next `nodeCount`.
    func sweep(at now: MonotonicTime, nodeCount: Int) {
        var gone: [Unmanaged<CacheEntry>] = []
        lock.lock()
        beginChange()
        let used = policy.usedNodes
        for _ in 0..<min(nodeCount, used.count) {
            if !used.contains(sweepPlace) { sweepPlace = used.lowerBound }
            if Int(sweepPlace) < entryCapacity, let entry = entries[Int(sweepPlace)],
                entry._withUnsafeGuaranteedRef({ $0.hardExpiry <= now })
            {
                take(sweepPlace, entry._withUnsafeGuaranteedRef { $0.hash })
                gone.append(entry)
            }
            sweepPlace += 1
        }
        counts.expired &+= Int64(gone.count)
        endChange()
        for entry in gone { entry.release() }
    }

    /// Counters, and what there is now.
    var snapshot: MemoryCounts {
        lock.lock()
        stripes.lockAll()
        defer { endChange() }
        var counts = counts
        for number in 0..<stripes.count { counts.hits &+= stripes[number].hits }
        counts.entries = policy.count
        counts.weight = policy.weight
        counts.windowWeight = policy.windowWeight
        return counts
    }

    var entryCount: Int {
        lock.lock()
        defer { lock.unlock() }
        return policy.count
    }

    // MARK: Under the lock

    @inline(__always)
    private func find(_ hash: Key128) -> (node: UInt32, entry: Unmanaged<CacheEntry>?) {
        var found: Unmanaged<CacheEntry>?
        let node = index.find(hash.low) { _, address in
            guard let pointer = UnsafeRawPointer(bitPattern: address) else { return false }
            let entry = Unmanaged<CacheEntry>.fromOpaque(pointer)
            guard entry._withUnsafeGuaranteedRef({ $0.hasKey(hashing: hash) }) else {
                return false
            }
            found = entry
            return true
        }
        return (node, found)
    }

    private static func address(_ entry: CacheEntry) -> UInt {
        UInt(bitPattern: Unmanaged.passUnretained(entry).toOpaque())
    }

    /// With the lock: nothing is found until `endChange`, and policy and sketch know of every hit.
    private func beginChange() {
        stripes.lockAll()
        for number in 0..<stripes.count {
            tellHits(of: stripes[number])
            stripes[number].forget()
        }
    }

    private func endChange() {
        stripes.unlockAll()
        lock.unlock()
    }

    /// Tells policy and sketch of the hits that were noted, in their order.
    private func tellHits(of stripe: HitStripe) {
        let (noted, count) = (stripe.noted, stripe.notedCount)
        guard count > 0 else { return }
        let nodes = policy.nodes
        // Loads that do not depend on each other are under way together.
        var seen: UInt64 = 0
        for place in 0..<count { seen |= nodes[Int(noted[place])].hash }
        for place in 0..<count {
            let node = nodes[Int(noted[place])]
            seen |= UInt64(nodes[Int(node.previous)].next | nodes[Int(node.next)].previous)
            seen |= sketch.word(of: node.hash)
        }
        guard seen != 0 else { return }
        for place in 0..<count {
            let node = noted[place]
            sketch.count(nodes[Int(node)].hash)
            policy.touch(node)
        }
    }

    private func add(_ entry: CacheEntry, _ weight: UInt32) {
        let node = policy.insert(hash: entry.hash, weight: weight, cost: entry.costClass)
        if Int(node) >= entryCapacity {
            let larger = UnsafeMutablePointer<Unmanaged<CacheEntry>?>.allocate(
                capacity: entryCapacity * 2)
            larger.moveInitialize(from: entries, count: entryCapacity)
            (larger + entryCapacity).initialize(repeating: nil, count: entryCapacity)
            entries.deallocate()
            entries = larger
            entryCapacity *= 2
        }
        entries[Int(node)] = Unmanaged.passRetained(entry)
        index.insert(entry.hash, node, MemoryShard.address(entry))
        if policy.count > sketch.entryCount { sketch.grow(toEntries: policy.count) }
    }

    /// Unlinks; the caller releases the entry once the lock is free.
    private func take(_ node: UInt32, _ hash: UInt64) {
        entries[Int(node)]?._withUnsafeGuaranteedRef { $0.leave() }
        entries[Int(node)] = nil
        index.remove(hash, node)
        policy.remove(node)
    }
}

/// What came of storing an entry.
package struct MemoryInsertion: Sendable, Equatable {
    /// False if the entry had to go itself, or one that is as good was there.
    package var isStored: Bool
    package var evictedCount: Int
}

/// Counters of the memory tier. 64 bits, because one that overflows would end what relies on it.
package struct MemoryCounts: Sendable {
    package var hits: Int64 = 0
    package var misses: Int64 = 0
    package var inserted: Int64 = 0
    package var evicted: Int64 = 0
    package var expired: Int64 = 0
    package var purged: Int64 = 0
    /// Not stored because what was there is newer.
    package var outdated: Int64 = 0
    package var entries = 0
    package var weight = 0
    package var windowWeight = 0

    static func + (a: MemoryCounts, b: MemoryCounts) -> MemoryCounts {
        var sum = a
        sum.hits &+= b.hits
        sum.misses &+= b.misses
        sum.inserted &+= b.inserted
        sum.evicted &+= b.evicted
        sum.expired &+= b.expired
        sum.purged &+= b.purged
        sum.outdated &+= b.outdated
        sum.entries += b.entries
        sum.weight += b.weight
        sum.windowWeight += b.windowWeight
        return sum
    }
}
