import Cache
import Primitives
import SQLite
import Storage
import Telemetry

/// Answers named queries from the cache, by the policy of each, and computes what is not there.
///
///     let call = try NamedCall(query, parameters, format: .json)
///     queries.answer(call, mode, conditions, owner: "ci", isAbandoned: …) { result in … }
///
/// With `until_write` an answer is stamped with the store's version: it is right until any event comes
/// or goes. Another node's version says nothing here, so such an answer is shared with none. Any
/// thread.
package final class NamedQueries: Sendable {
    private let runner: SQLRunner
    private let cache: AnswerCache
    private let store: StoreVersion
    private let version: DataVersion
    private let present: PresentStamp
    private let workers: WorkerPool
    private let costs: CostBook
    private let timeout: Duration
    private let duration: Histogram

    /// - Parameters:
    ///   - version: of the store.
    ///   - workers: threads that may block.
    ///   - timeout: of a query that has none, waiting for a worker included.
    ///   - duration: takes what computing took.
    package init(
        _ runner: SQLRunner, cache: AnswerCache, version: StoreVersion, workers: WorkerPool,
        costs: CostBook, timeout: Duration, duration: Histogram
    ) {
        self.runner = runner
        self.cache = cache
        store = version
        self.version = DataVersion { version.current }
        present = PresentStamp {
            let current = version.current
            return current == 0 ? nil : NamedQueries.stamp(current)
        }
        self.workers = workers
        self.costs = costs
        self.timeout = timeout
        self.duration = duration
    }

    /// Answers `call`; `completion` is called once, perhaps before this returns. Blocks nobody.
    /// - Parameters:
    ///   - mode: for a call that does not say itself.
    ///   - owner: who takes turns with others for a worker.
    ///   - isAbandoned: whether the caller has left; what is computed for it alone then ends.
    package func answer(
        _ call: NamedCall, _ mode: CacheMode, _ conditions: CacheConditions, owner: String,
        isAbandoned: @escaping @Sendable () -> Bool,
        completion: @escaping CachedQueries.Completion
    ) {
        let limit = call.query.timeout ?? timeout
        var question = CacheQuestion(key: call.cacheKey, deadline: .after(limit))
        question.mode = CachedQueries.mode(call.cacheMode) ?? mode
        question.conditions = conditions
        question.tags = call.cacheTags
        if call.query.policy == .untilWrite {
            question.version = version
            question.present = present
            question.isShared = false
            bind(&question.conditions, call.query)
        } else if let seconds = call.maxStaleSeconds {
            // Nothing tells such an answer that events came: it is as stale as it is old.
            question.conditions.limitAge(to: .seconds(seconds))
        }
        let kind = Key128(hashing: question.key.span, key: call.query.digest).low
        let latest = question.deadline
        cache.answer(
            question,
            compute: { [self] order, done in
                let isQueued = workers.submit(for: owner, isLong: costs.isLong(kind)) { [self] in
                    let start = MonotonicTime.now()
                    let deadline = min(order.deadline, latest)
                    done(compute(call, order, deadline, isAbandoned))
                    costs.note(kind, MonotonicTime.now().since(start))
                }
                if !isQueued { done(.failure(CachedQueries.failure(.overloaded))) }
            },
            completion: { completion(CachedQueries.result($0)) })
    }

    /// How stale an answer that is kept until a write may be for a caller. What a client was told is
    /// stored is in every answer after that, unless its caller accepts more staleness than usual.
    private func bind(_ conditions: inout CacheConditions, _ query: NamedQuery) {
        let sincePromise = MonotonicTime.now().since(store.lastPromise)
        if !conditions.isMaxStaleGiven {
            conditions.staleAfterChange = min(query.staleWhileRevalidate, sincePromise)
        } else if query.dependsOnTime {
            // Time goes on without events: such an answer is as stale as it is old.
            conditions.limitAge(to: conditions.maxStale)
        }
        if conditions.maxStale == CacheConditions.boundedStaleness {
            conditions.maxStale = min(conditions.maxStale, sincePromise)
        }
    }

    private static func stamp(_ version: UInt64) -> GenerationStamp {
        GenerationStamp(count: Int64(bitPattern: version), setHash: 0)
    }

    // MARK: On a worker

    private func compute(
        _ call: NamedCall, _ order: FlightOrder, _ deadline: Deadline,
        _ isAbandoned: @escaping @Sendable () -> Bool
    ) -> CacheComputation {
        // Both from before anything is read, so that they vouch for no more than was read.
        let version = version.current
        let readAt = MonotonicTime.now()
        defer { duration.observe(MonotonicTime.now().since(readAt)) }
        do throws(QueryError) {
            let now = WallClock.nowMilliseconds()
            let answer = try runner.answer(
                try call.question(now: now), now: now, deadline: deadline,
                isCancelled: { order.isCancelled || (!order.isForOthers && isAbandoned()) })
            return .answer(
                content(answer, call, version), NamedQueries.lifetime(call.query), at: readAt)
        } catch {
            return .failure(CachedQueries.failure(error.ofNamedQuery))
        }
    }

    private static func lifetime(_ query: NamedQuery) -> CacheLifetime {
        CacheLifetime(
            fresh: query.lifetime, staleWhileRevalidate: query.staleWhileRevalidate)
    }

    private func content(
        _ answer: QueryAnswer, _ call: NamedCall, _ version: UInt64
    ) -> CacheContent {
        var content = CacheContent(body: answer.body)
        content.detail = CachedAnswer.detail(answer)
        content.tags = call.cacheTags
        if call.query.policy == .untilWrite {
            content.version = version
            content.stamp = NamedQueries.stamp(version)
            content.isShareable = false
        }
        return content
    }
}

extension CacheConditions {
    fileprivate mutating func limitAge(to limit: Duration) { maxAge = min(maxAge ?? limit, limit) }
}

extension QueryError {
    /// The statement is the operator's, so what SQLite says of it is not the caller's mistake.
    fileprivate var ofNamedQuery: QueryError {
        guard kind == .badRequest, parameter == "q" else { return self }
        return QueryError(
            .unprocessable, code: "query_failed", "the query fails with these values: \(message)")
    }
}
