import Cache
import Primitives
import Storage

/// An answer from memory that the same question may be given again without being read: until its
/// relative moments move on, and for as long as the cache would give it (decision 51). Any thread.
package final class RepeatedAnswer: Sendable {
    private let hit: RepeatableHit
    private let storeVersion: StoreVersion
    /// The caller did not say how stale the answer may be.
    private let isBoundedByPromise: Bool
    private let until: MonotonicTime

    init(
        _ hit: RepeatableHit, _ storeVersion: StoreVersion, isBoundedByPromise: Bool,
        until: MonotonicTime
    ) {
        self.hit = hit
        self.storeVersion = storeVersion
        self.isBoundedByPromise = isBoundedByPromise
        self.until = until
    }

    /// Whether it is the answer at `now` too; then it is counted as a hit.
    package func holds(at now: MonotonicTime) -> Bool {
        guard now < until else { return false }
        return hit.holds(at: now) {
            isBoundedByPromise ? now.since(storeVersion.lastPromise) : .seconds(Int64.max / 2)
        }
    }
}

extension CachedQueries {
    /// The answer that was just given, for who asks the same again; nil if that is not a hit.
    /// - Parameters:
    ///   - conditions: as they were given to `answer`.
    ///   - now: as it was given to `answer`.
    ///   - told: the moment that `Age` and the time to live were told for.
    package func again(
        _ answer: CachedAnswer, _ request: QueryRequest, _ conditions: CacheConditions,
        now: Int64, told: MonotonicTime
    ) -> RepeatedAnswer? {
        let (wall, time) = (WallClock.nowMilliseconds(), MonotonicTime.now())
        let left = request.keyEnd(after: now) - wall
        // The clock was set back, or the step is over.
        guard left > 0, wall >= now,
            let hit = cache.repeatable(answer.reply, conditions, version, at: told)
        else { return nil }
        return RepeatedAnswer(
            hit, storeVersion,
            isBoundedByPromise: conditions.maxStale == CacheConditions.boundedStaleness,
            until: time + .milliseconds(min(left, CachedQueries.longestRepeat)))
    }

    /// Milliseconds; the server asks anew before that.
    private static let longestRepeat: Int64 = 60_000
}

extension QueryRequest {
    /// The first moment after `now` at which the canonical question is another one, because one of
    /// its relative moments has moved; never: `Int64.max`.
    func keyEnd(after now: Int64) -> Int64 {
        // A page counts from the moment of its first one.
        guard cursor == nil else { return .max }
        let start = from ?? (to == nil ? QueryPlan.defaultStart : nil)
        var end =
            ([start, to] + conditions.flatMap(\.moments)).compactMap { moment in
                if case .ago(let milliseconds)? = moment {
                    return QueryMoment.step(ago: milliseconds)
                }
                return nil
            }.map { floor(now, to: $0) + $0 }.min() ?? .max
        if fill != nil, to == nil {
            let step = QueryPlan.fillStepMilliseconds
            end = min(end, floor(now, to: step) + step)
        }
        return end
    }
}
