import Primitives
import SQLite
import Storage

/// Answers questions about stored events: the front of this room.
///
///     let request = try QueryRequest.parse(parameters)      // on any thread
///     let answer = try service.answer(request, deadline: …) // on one that may block
package struct QueryService: Sendable {
    private let readers: ReaderPool
    private let backend: QueryBackend

    package init(_ readers: ReaderPool, backend: QueryBackend = .scan) {
        self.readers = readers
        self.backend = backend
    }

    /// Any thread that may block.
    ///
    /// Nothing is cached yet, so every answer is computed from the events: `cache=refresh` and
    /// `bypass` and any `max_stale` are met, `cache=only` is `not_cached`.
    /// - Parameters:
    ///   - now: milliseconds since 1970; what relative moments count from.
    ///   - isCancelled: asked now and then; true ends the query.
    package func answer(
        _ request: QueryRequest, now: Int64 = WallClock.nowMilliseconds(), deadline: Deadline,
        isCancelled: (@Sendable () -> Bool)? = nil
    ) throws(QueryError) -> QueryAnswer {
        let plan = try QueryPlan(request, now: now)
        guard request.explain || request.cacheMode != .only else {
            throw QueryError(
                .notCached, code: "not_cached", "no cache holds the answer", parameter: "cache")
        }
        do throws(QueryError) {
            return try readers.withReader(
                until: deadline, isCancelled: isCancelled, mapping: QueryError.init
            ) { connection throws(QueryError) in
                try backend.run(
                    plan, on: connection, readers: readers, deadline: deadline,
                    isCancelled: isCancelled)
            }
        } catch {
            if let cause = error.cause { readers.noteDamage(cause) }
            throw error
        }
    }
}
