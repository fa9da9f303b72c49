import Primitives
internal import Synchronization

/// A hit that its owner may count as one again and again without looking for the entry, until
/// something about it is no longer what its client was told.
///
/// It holds while the entry is in its place, would still be found fresh, and `Age` and the time to
/// live have the seconds that they had. Any thread; an owner of its own for each event loop keeps the
/// loops from sharing its counter.
package final class RepeatableHit: Sendable {
    private let cache: AnswerCache
    private let entry: CacheEntry
    private let conditions: CacheConditions
    private let version: DataVersion
    /// Nothing but the version and the staleness decide about it until `until`.
    private let isPlain: Bool
    /// In nanoseconds: `Age` as it was told, and one second more.
    private let leastAge: UInt64
    private let ageLimit: UInt64
    private let until: MonotonicTime
    private let count = Atomic<Int>(0)

    private static let second: UInt64 = 1_000_000_000
    /// The tier is told of one question in so many: enough to know that the entry is in use.
    private static let reportPeriod = 16

    /// - Parameter now: when the client was told of `entry`.
    init(
        _ cache: AnswerCache, _ entry: CacheEntry, _ conditions: CacheConditions,
        _ version: DataVersion, at now: MonotonicTime
    ) {
        self.cache = cache
        self.entry = entry
        self.conditions = conditions
        self.version = version
        isPlain = conditions.maxAge == nil && conditions.minFresh == nil && entry.stamp != nil
        let age = now.nanoseconds.distance(from: entry.verifiedAt) / RepeatableHit.second
        leastAge = age * RepeatableHit.second
        ageLimit = leastAge + RepeatableHit.second
        let left = entry.freshUntil.nanoseconds.distance(from: now)
        let lifetime = entry.freshUntil.nanoseconds.distance(from: entry.computedAt)
        // Its last part, in which questions have it computed anew, is not repeated.
        let told = max(left / RepeatableHit.second * RepeatableHit.second, lifetime / 10)
        until = MonotonicTime(nanoseconds: entry.freshUntil.nanoseconds - min(told, left))
    }

    /// Whether it is a hit at `now` too; it is counted if so.
    /// - Parameter maxStale: what the caller accepts at this moment, beside its conditions; asked for
    ///   only if the data has changed.
    package func holds(at now: MonotonicTime, maxStale: () -> Duration) -> Bool {
        guard !entry.hasLeft, now < until else { return false }
        let current = version.current
        if isPlain, entry.isVerified(for: current) {
            entry.verify(at: now)
        } else {
            var conditions = conditions
            conditions.maxStale = min(conditions.maxStale, maxStale())
            let freshness = Freshness.judge(entry, conditions, nil, version: current, at: now)
            guard freshness == .fresh else { return false }
        }
        let age = now.nanoseconds.distance(from: entry.verifiedAt)
        guard age >= leastAge, age < ageLimit else { return false }
        cache.counters.hits.add()
        if count.add(1, ordering: .relaxed).newValue.isMultiple(of: RepeatableHit.reportPeriod) {
            _ = cache.memory.get(entry.key, at: now)
        }
        return true
    }
}

extension AnswerCache {
    /// The hit that `reply` is, for who is asked the same again; nil if it is none.
    /// - Parameter now: when the client was told of it.
    package func repeatable(
        _ reply: CacheReply, _ conditions: CacheConditions, _ version: DataVersion,
        at now: MonotonicTime
    ) -> RepeatableHit? {
        guard reply.source == .memory, reply.state == .hit, now < reply.entry.freshUntil else {
            return nil
        }
        return RepeatableHit(self, reply.entry, conditions, version, at: now)
    }
}

extension UInt64 {
    /// From `earlier` to this, in nanoseconds; 0 if that is later.
    fileprivate func distance(from earlier: MonotonicTime) -> UInt64 {
        self > earlier.nanoseconds ? self - earlier.nanoseconds : 0
    }
}
