import Cache
import Primitives
import Storage
import Telemetry

/// Caches the rows of single buckets in memory, for questions with a rolling window (decision 52).
///
/// A bucket's key is what its rows depend on: metrics, types, groups, conditions, interval, zone and
/// the part of the bucket that the range covers. Order, limit, fill and format are applied afterwards,
/// so questions that differ in those share it. It is valid until the generations of its minutes
/// change. Only this node uses it: its rows name types and sources by number.
package struct BucketReuse: Sendable {
    let memory: MemoryTier
    let counters: BucketCounters
    /// False: computes every bucket anew, and stores it.
    let reads: Bool
    /// `memory.purgeEpoch` from before anything was read: what is purged after that is not stored again.
    private let epoch: UInt64

    /// As for whole answers: generations say whether they are right.
    private static let lifetime = CacheLifetime(fresh: .seconds(3600))
    /// Memory of an entry beside its rows, which are often smaller.
    private static let longestBytes = 1 << 20

    /// Made before anything is read.
    package init(_ memory: MemoryTier, _ counters: BucketCounters, reads: Bool = true) {
        self.memory = memory
        self.counters = counters
        self.reads = reads
        epoch = memory.purgeEpoch
    }

    /// The rows of a bucket, if they are cached with the same generations.
    func rows(
        _ key: UnsafeRawBufferPointer, _ stamp: GenerationStamp, at now: MonotonicTime
    ) -> Bytes? {
        guard reads, let entry = memory.get(key, at: now), entry.stamp == stamp else { return nil }
        return entry.body
    }

    /// Whether `rows` would find something; counts as no use of the entry.
    func has(_ key: UnsafeRawBufferPointer, _ stamp: GenerationStamp) -> Bool {
        memory.peek(key)?.stamp == stamp
    }

    /// - Parameter cost: what computing it took.
    func store(
        _ key: UnsafeRawBufferPointer, _ rows: Bytes, _ stamp: GenerationStamp, tags: [UInt64],
        cost: Duration
    ) {
        guard rows.count <= BucketReuse.longestBytes else { return }
        var content = CacheContent(body: rows)
        content.stamp = stamp
        content.tags = tags
        content.cost = cost
        memory.insert(
            memory.entry(key, content, computedAt: .now(), lifetime: BucketReuse.lifetime),
            epoch: epoch)
    }
}

/// Counts of the buckets that answers were assembled from.
package struct BucketCounters: Sendable {
    /// Taken from memory, or known to be empty.
    package let kept = Counter()
    package let computed = Counter()

    package init() {}
}
