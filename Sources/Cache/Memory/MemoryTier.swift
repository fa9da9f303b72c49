import Primitives
internal import Synchronization

/// Answers in memory, found by their key in some ten nanoseconds, at most as many bytes as allowed.
///
///     let tier = MemoryTier(.bytes(128 << 20))
///     if let entry = tier.get(key, at: .now()) { reply(entry.body) }
///     tier.insert(tier.entry(key, content, computedAt: start, lifetime: lifetime))
///
/// A hit copies nothing and allocates nothing. Any thread.
package final class MemoryTier: @unchecked Sendable {  // Constants, atomics, and shards with locks.
    /// What `capacity` counts.
    package enum Bound: Sendable {
        case bytes(Int)
        /// Each entry weighs one: for traces.
        case entries(Int)
    }

    private let shards: [MemoryShard]
    /// The same for the way of a hit, which counts no references: all loops would count the same
    /// ones.
    private let places: UnsafeMutablePointer<Unmanaged<MemoryShard>>
    private let shardMask: UInt64
    private let hashKey: Key128
    private let tuning: WindowTuning
    private let purges = Atomic<UInt64>(0)
    private let sweepTurn = Atomic<Int>(0)
    package let capacity: Int
    /// Larger ones are refused: one answer must not empty a shard.
    package let entryLimitBytes: Int

    /// At least so many bytes, or entries, a shard: a policy needs some to choose from.
    private static let leastShardBytes = 8 << 20
    private static let leastShardEntries = 16_384
    /// Two cores rarely meet in one of eight, and more would make each too small.
    private static let shardLimit = 64
    private static let entryShare = 4
    /// An answer of 4 KiB, for sizing the sketch before entries are there; it grows with them.
    private static let expectedEntryBytes = 4096

    /// - Parameter hashKey: of the hash table; given only where a run must be repeatable.
    package init(_ bound: Bound, hashKey: Key128? = nil) {
        let (capacity, least, weighsBytes) =
            switch bound {
            case .bytes(let bytes): (max(bytes, 1), MemoryTier.leastShardBytes, true)
            case .entries(let count): (max(count, 1), MemoryTier.leastShardEntries, false)
            }
        var count = 1
        let wanted = min(MemoryTier.shardLimit, Processors.available * 4)
        while count < wanted, capacity / (count * 2) >= least { count *= 2 }
        let each = capacity / count
        self.capacity = each * count
        entryLimitBytes = weighsBytes ? each / MemoryTier.entryShare : .max
        shardMask = UInt64(count - 1)
        let key =
            hashKey ?? Key128(high: .random(in: 0 ... .max), low: .random(in: 0 ... .max))
        self.hashKey = key
        let expected = weighsBytes ? each / MemoryTier.expectedEntryBytes : each
        shards = (0..<count).map { number in
            MemoryShard(
                capacity: each, weighsBytes: weighsBytes, expectedEntries: expected,
                windowShare: WindowTuner.firstShare, seed: key.low &+ UInt64(number) &* 2)
        }
        tuning = WindowTuning(seed: key.high)
        places = .allocate(capacity: count)
        for (number, shard) in shards.enumerated() {
            (places + number).initialize(to: .passUnretained(shard))
        }
    }

    deinit { places.deallocate() }

    /// The entry of `key`, whatever its age up to its hard expiry. Counts as one question for it.
    package func get(_ key: UnsafeRawBufferPointer, at now: MonotonicTime) -> CacheEntry? {
        let hash = keyedHash128(key, key: hashKey)
        let place = Int(truncatingIfNeeded: hash.low & shardMask)
        let entry = places[place]._withUnsafeGuaranteedRef { $0.get(hash, at: now) }
        if tuning.samples(hash.low) { ask(hash.low) }
        return entry
    }

    /// The entry of `key`; no question, so neither counters nor what stays are touched.
    package func peek(_ key: UnsafeRawBufferPointer) -> CacheEntry? {
        let hash = keyedHash128(key, key: hashKey)
        return shard(hash.low).peek(hash)
    }

    /// An entry for this tier. Its lifetimes are shortened by up to a tenth, by chance, so that
    /// what was computed together does not expire together.
    package func entry(
        _ key: UnsafeRawBufferPointer, _ content: CacheContent, computedAt: MonotonicTime,
        lifetime: CacheLifetime
    ) -> CacheEntry {
        let hash = keyedHash128(key, key: hashKey)
        var lifetime = lifetime
        lifetime.fresh = .nanoseconds(
            Int64(
                Double(max(lifetime.fresh.wholeNanoseconds, 0))
                    * Double.random(in: MemoryTier.jitter)))
        return CacheEntry(
            key: key, hash: hash, content, computedAt: computedAt, lifetime: lifetime)
    }
    private static let jitter = 0.9...1.0

    /// How often something was purged. An answer is stored only if that is what it was before the
    /// data was read: what was purged meanwhile must not come back.
    package var purgeEpoch: UInt64 { purges.load(ordering: .acquiring) }

    /// Stores `entry` instead of what its key had. Filling is no question: a miss has been one.
    ///
    /// A value that is newer by its generations stays, and so does a value where `entry` is a mere
    /// marker and the value has not expired.
    /// - Parameters:
    ///   - epoch: `purgeEpoch` from before the data was read; nil stores in any case.
    ///   - replaced: the entry that was refreshed; nil for a fill. If it is gone from its place,
    ///     nothing is stored.
    @discardableResult
    package func insert(
        _ entry: CacheEntry, epoch: UInt64? = nil, refreshing replaced: CacheEntry? = nil
    ) -> MemoryInsertion {
        guard entry.weight <= entryLimitBytes else {
            return MemoryInsertion(isStored: false, evictedCount: 0)
        }
        let insertion = shard(entry.hash).insert(entry, windowShare: tuning.share) { present in
            // Under the shard's lock, which a purge takes after it has counted itself.
            if let epoch, epoch != purges.load(ordering: .acquiring) { return false }
            if let replaced, present !== replaced { return false }
            return present.map { MemoryTier.mayReplace($0, with: entry) } ?? true
        }
        if insertion.evictedCount > 0, !tuning.isRunning { startTuning() }
        return insertion
    }

    private static func mayReplace(_ present: CacheEntry, with entry: CacheEntry) -> Bool {
        guard present.marker == nil else { return true }
        if entry.marker != nil { return entry.computedAt >= present.hardExpiry }
        guard let old = present.stamp, let new = entry.stamp else {
            return entry.computedAt >= present.computedAt
        }
        return new.count >= old.count
    }

    /// Removes the entry of `key`.
    /// - Returns: whether there was one.
    @discardableResult
    package func purge(key: UnsafeRawBufferPointer) -> Bool {
        purges.add(1, ordering: .acquiringAndReleasing)
        let hash = keyedHash128(key, key: hashKey)
        return shard(hash.low).remove(hash) { _ in true }
    }

    /// Removes every entry with this tag. O(entries).
    @discardableResult
    package func purge(tag: UInt64) -> Int { purge { $0.tags.contains(tag) } }

    @discardableResult
    package func purgeAll() -> Int { purge { _ in true } }

    private func purge(where isMeant: (CacheEntry) -> Bool) -> Int {
        purges.add(1, ordering: .acquiringAndReleasing)
        return shards.reduce(0) { $0 + $1.removeAll(where: isMeant) }
    }

    /// Frees what has expired in one of the shards. Called now and then; each call looks at a
    /// bounded number of entries.
    package func sweep(at now: MonotonicTime) {
        let turn = sweepTurn.add(1, ordering: .relaxed).oldValue
        let index = Int(UInt64(bitPattern: Int64(turn)) & shardMask)
        shards[index].sweep(at: now, nodeCount: MemoryTier.sweepCount)
    }
    private static let sweepCount = 1024

    /// Counters over all shards, and what is there now.
    package var counts: MemoryCounts { shards.reduce(MemoryCounts()) { $0 + $1.snapshot } }
    package var shardCount: Int { shards.count }
    /// Of the capacity, for entries that have not yet shown that they are asked for again.
    package var windowShare: Double { tuning.share }

    @inline(__always)
    private func shard(_ hash: UInt64) -> MemoryShard {
        shards[Int(truncatingIfNeeded: hash & shardMask)]
    }

    private func startTuning() { tuning.begin(entries: shards.reduce(0) { $0 + $1.entryCount }) }

    private func ask(_ hash: UInt64) {
        // With large answers gone and small ones come, or the other way round, miniatures of the
        // old size tell little.
        if tuning.ask(hash) { startTuning() }
    }
}
