import Telemetry

/// What became of questions and answers since the start.
package struct CacheCounters: Sendable {
    /// Answered from memory with a fresh entry.
    package let hits = Counter()
    /// Answered from memory with an entry that was stale within what the caller accepts.
    package let stale = Counter()
    package let misses = Counter()
    /// Misses that Redis answered.
    package let redisHits = Counter()
    /// Misses that waited for another question's flight.
    package let collapsed = Counter()
    /// Answers with a stale entry because computing failed.
    package let errorFallbacks = Counter()
    package let rememberedFailures = Counter()
    package let refreshes = Counter()
    package let computed = Counter()
    package let failures = Counter()
    /// Flights that did not end by their deadline.
    package let overdueFlights = Counter()
    /// Answers that were too large, or too cheap to keep.
    package let refused = Counter()
    package let purges = Counter()
    /// What computing took.
    package let loadTime = Histogram()
}
