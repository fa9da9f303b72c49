import Primitives

/// What an entry is worth to one caller at one moment. Pure but for `CacheEntry.verify`.
///
///     computed ─────── freshUntil ─────── staleUntil ─────── hardExpiry
///       fresh            stale, refreshed    only if computing    gone
///                        meanwhile           fails
///
/// An entry with a stamp is fresh within that only while the data has the same stamp. When it has
/// another one, the entry may still answer for as long as the caller accepts, counted from when it
/// was last seen to be right: the data changed after that, so the answer is no staler than that.
package enum Freshness: Sendable, Equatable {
    case fresh
    /// Answers now; a new one should be computed meanwhile.
    case stale
    /// Fresh, but close to its end: a new one should be computed meanwhile.
    case ending
    /// Answers only where computing fails.
    case unusable

    /// The last part of its lifetime in which a question makes an entry be computed anew.
    private static let endingShare: Int64 = 10

    static func judge(
        _ entry: CacheEntry, _ conditions: CacheConditions, _ present: PresentStamp?,
        version: UInt64 = 0, at now: MonotonicTime
    ) -> Freshness {
        if now >= entry.hardExpiry { return .unusable }
        if let maxAge = conditions.maxAge, now.since(entry.computedAt) > maxAge {
            return .unusable
        }
        if let minFresh = conditions.minFresh, entry.freshUntil.since(now) < minFresh {
            return .unusable
        }
        guard let stamp = entry.stamp else { return byTime(entry, conditions, at: now) }
        if entry.isVerified(for: version) {
            entry.verify(at: now)
            return now < entry.freshUntil ? lasting(entry, now) : late(entry, conditions, now)
        }
        if let present, let current = present() {
            if current == stamp {
                entry.verify(at: now, version: version)
                return now < entry.freshUntil ? lasting(entry, now) : late(entry, conditions, now)
            }
            return changed(entry, conditions, now)
        }
        return unknown(entry, conditions, now)
    }

    /// As good as what was last known, for as long as the caller accepts; in the second half of that
    /// somebody should look.
    private static func unknown(
        _ entry: CacheEntry, _ conditions: CacheConditions, _ now: MonotonicTime
    ) -> Freshness {
        let age = now.since(entry.verifiedAt)
        guard now < entry.freshUntil, age <= conditions.maxStale, conditions.maxStale != .zero
        else { return .unusable }
        return age > conditions.maxStale / 2 ? .ending : .fresh
    }

    private static func byTime(
        _ entry: CacheEntry, _ conditions: CacheConditions, at now: MonotonicTime
    ) -> Freshness {
        if conditions.maxStale == .zero { return .unusable }
        return now < entry.freshUntil ? lasting(entry, now) : late(entry, conditions, now)
    }

    private static func lasting(_ entry: CacheEntry, _ now: MonotonicTime) -> Freshness {
        let lifetime = entry.freshUntil.since(entry.computedAt).wholeNanoseconds
        let left = entry.freshUntil.since(now).wholeNanoseconds
        return left < lifetime / endingShare ? .ending : .fresh
    }

    /// The data is the same or not known, and the lifetime is over.
    private static func late(
        _ entry: CacheEntry, _ conditions: CacheConditions, _ now: MonotonicTime
    ) -> Freshness {
        now < entry.staleUntil && conditions.maxStale > .zero ? .stale : .unusable
    }

    private static func changed(
        _ entry: CacheEntry, _ conditions: CacheConditions, _ now: MonotonicTime
    ) -> Freshness {
        if conditions.maxStale == .zero { return .unusable }
        let accepted = max(conditions.maxStale, conditions.staleAfterChange)
        return now.since(entry.verifiedAt) <= accepted ? .stale : .unusable
    }
}
