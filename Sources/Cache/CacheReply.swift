import Primitives

/// An answer, where it came from, and what a client is told of it.
package struct CacheReply: Sendable {
    package enum Source: Sendable {
        case memory, redis
        /// Computed for this question or for another one that it waited for.
        case computed
    }

    /// What became of the question, in the terms of RFC 9211.
    package enum State: Sendable {
        case hit
        case stale
        /// Nothing usable was there.
        case miss
        /// The caller asked for a new one.
        case forced
        case bypass
    }

    package var entry: CacheEntry
    package var source: Source
    package var state: State
    /// It waited for another caller's.
    package var isCollapsed = false
    package var isStored = false
    /// Served although computing a new one failed.
    package var isErrorFallback = false
    /// When the time of the question is over that it was computed for: what is made of it then,
    /// such as a compressed form, comes too late.
    package var deadline = Deadline.never
    /// How long the tiers and computing took, for `Server-Timing`.
    package var redisTime: Duration?
    package var computeTime: Duration?

    package init(_ entry: CacheEntry, _ source: Source, _ state: State) {
        self.entry = entry
        self.source = source
        self.state = state
    }

    /// Seconds since it was computed.
    package func age(at now: MonotonicTime) -> Duration { now.since(entry.computedAt) }

    /// What is left of its lifetime; negative once it is stale.
    package func timeToLive(at now: MonotonicTime) -> Duration {
        let isChanged = state == .stale && now < entry.freshUntil
        if isChanged { return .zero - now.since(entry.verifiedAt) }
        return now < entry.freshUntil
            ? entry.freshUntil.since(now) : .zero - now.since(entry.freshUntil)
    }
}

/// Why there is no answer.
package struct CacheFailure: Error, Sendable {
    package enum Code: Sendable, Equatable {
        /// Computing failed, and would fail again at once: a question that is wrong.
        case deterministic
        /// Computing failed; another attempt may succeed.
        case transient
        /// The caller's time, or the flight's, is over.
        case timeout
        /// Only the cache was asked, and has nothing.
        case notCached
        case closed
    }

    package var code: Code
    /// What the computing threw, for who knows it.
    package var cause: (any Error & Sendable)?
    /// Memory that `cause` takes up: a failure may be remembered, and counts as an answer does.
    package var causeBytes: Int

    package init(_ code: Code, cause: (any Error & Sendable)? = nil, causeBytes: Int = 0) {
        self.code = code
        self.cause = cause
        self.causeBytes = causeBytes
    }
}

/// What computing an answer came to.
package enum CacheComputation: Sendable {
    /// - Parameter at: from before the data was read.
    case answer(CacheContent, CacheLifetime, at: MonotonicTime)
    /// The data is still what the entry was computed from that was known to be there.
    /// - Parameter version: the data's, from before that was seen; 0 if not known.
    case unchanged(at: MonotonicTime, version: UInt64)
    case failure(CacheFailure)
}
