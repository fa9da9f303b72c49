import Primitives

/// What the caller lets the cache do.
package enum CacheMode: Sendable {
    /// Read and store.
    case use
    /// Compute anew, and store.
    case refresh
    /// Neither read nor store.
    case bypass
    /// Answer from the cache or not at all.
    case only
}

/// How fresh an answer has to be for one caller.
package struct CacheConditions: Sendable, Equatable {
    /// For how long the data may have been newer than the answer. Zero is strictly fresh: what was
    /// stored before the question is in the answer.
    package var maxStale = CacheConditions.boundedStaleness
    /// The caller said how stale the answer may be; `maxStale` may still be the usual one.
    package var isMaxStaleGiven = false
    /// For how long an answer over data that has changed since is given while a new one is computed,
    /// where that is more than `maxStale`. Counts, as that does, from when the answer was last seen to be
    /// right. Nothing with a `maxStale` of zero.
    package var staleAfterChange = Duration.zero
    /// The answer was computed at most so long ago (RFC 9111, section 5.2.1.1).
    package var maxAge: Duration?
    /// The answer stays fresh for at least so long (RFC 9111, section 5.2.1.3).
    package var minFresh: Duration?

    /// Where computing fails, an answer will do that was right so long ago; nil takes what `maxStale`
    /// allows (RFC 5861, section 4).
    package var staleIfError: Duration?

    package static let boundedStaleness = Duration.seconds(1)

    package init() {}
}

/// One question to the cache. The key stands for all that decides the answer: schema version, what
/// the caller may see, the canonical question, the format.
package struct CacheQuestion: Sendable {
    package var key: Bytes
    package var mode = CacheMode.use
    package var conditions = CacheConditions()
    package var tags: [UInt64] = []
    /// When the caller has no more use for the answer.
    package var deadline: Deadline
    /// What the data is now, as far as it concerns this question; read often, so it must be cheap.
    /// It returns nil while that is not known. Without it, time alone decides.
    package var present: PresentStamp?
    /// The version of the data: while it stays, an answer needs no other proof.
    package var version: DataVersion?
    /// Asks what the data is now where `present` does not know; may take a while.
    package var readStamp: StampReader?
    /// Whether other nodes may use the answer.
    package var isShared = true

    package init(key: Bytes, deadline: Deadline) {
        self.key = key
        self.deadline = deadline
    }
}

/// A way to ask what the data is now. A class, because a closure in a struct that is copied costs a
/// count for each copy, and in a lock it is wrapped at each access.
package final class PresentStamp: Sendable {
    private let read: @Sendable () -> GenerationStamp?

    package init(_ read: @escaping @Sendable () -> GenerationStamp?) { self.read = read }

    package func callAsFunction() -> GenerationStamp? { read() }
}

/// Reads from the store what the data is now, for one question, and calls its handler once, on any
/// thread; with nil if it cannot.
package final class StampReader: Sendable {
    private let read:
        @Sendable (FlightOrder, @escaping @Sendable (GenerationStamp?) -> Void) -> Void

    package init(
        _ read:
            @escaping @Sendable (
                FlightOrder, @escaping @Sendable (GenerationStamp?) -> Void
            ) -> Void
    ) { self.read = read }

    func callAsFunction(
        _ order: FlightOrder, _ done: @escaping @Sendable (GenerationStamp?) -> Void
    ) { read(order, done) }
}
