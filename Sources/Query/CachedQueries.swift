import Cache
import Primitives
import Storage
import Telemetry

/// Answers questions from memory, from Redis, or from the events, and keeps what was computed: the
/// front of this room.
///
///     let request = try QueryRequest.parse(parameters)
///     queries.answer(request, mode, conditions, isAbandoned: …) { result in … }
///
/// The cache knows bytes and keys; this says what they mean. An answer carries the generations that
/// were read in the snapshot of its rows. It is right for as long as the store's version stays, and
/// after that for as long as its generations do, which a worker reads (decision 41). Any thread.
package final class CachedQueries: Sendable {
    package typealias Completion = @Sendable (Result<CachedAnswer, QueryError>) -> Void

    private let queries: QueryService
    let cache: AnswerCache
    let version: DataVersion
    let storeVersion: StoreVersion
    private let workers: WorkerPool
    private let timeout: Duration
    private let duration: Histogram
    private let buckets: BucketCounters
    private let costs: CostBook

    /// For as long an answer is kept while the events it comes from stay as they are.
    private static let lifetime = CacheLifetime(fresh: .seconds(3600))
    /// An answer that is right and has less than this left is computed anew.
    private static let renewal = Duration.seconds(720)

    /// - Parameters:
    ///   - workers: threads that may block.
    ///   - timeout: of a question, waiting for a worker included.
    ///   - duration: takes what computing took.
    ///   - buckets: takes how many buckets were kept and computed.
    ///   - costs: what kinds of questions have cost.
    package init(
        _ queries: QueryService, cache: AnswerCache, version: StoreVersion, workers: WorkerPool,
        timeout: Duration, duration: Histogram, buckets: BucketCounters,
        costs: CostBook = CostBook()
    ) {
        self.queries = queries
        self.cache = cache
        self.version = DataVersion { version.current }
        storeVersion = version
        self.workers = workers
        self.timeout = timeout
        self.duration = duration
        self.buckets = buckets
        self.costs = costs
    }

    /// Answers `request`; `completion` is called once, perhaps before this returns. Blocks nobody.
    /// - Parameters:
    ///   - mode: for a request that does not say itself.
    ///   - now: milliseconds since 1970; what relative moments count from.
    ///   - owner: who takes turns with others for a worker.
    ///   - isAbandoned: whether the caller has left; what is computed for it alone then ends.
    package func answer(
        _ request: QueryRequest, _ mode: CacheMode, _ conditions: CacheConditions,
        now: Int64 = WallClock.nowMilliseconds(), owner: String = "",
        isAbandoned: @escaping @Sendable () -> Bool, completion: @escaping Completion
    ) {
        var question = CacheQuestion(
            key: request.cacheKey(now: now), deadline: .after(timeout))
        question.mode = CachedQueries.mode(request) ?? mode
        question.conditions = conditions
        question.conditions.maxStale = min(conditions.maxStale, sincePromise(conditions))
        question.tags = request.cacheTags(now: now)
        question.version = version
        question.readStamp = stampReader(request, now, owner)
        question.isShared = request.cursor == nil
        let reuse = reuse(request, question.mode)
        cache.answer(
            question,
            compute: { [self] order, done in
                let kind = request.costKind(now: now)
                let isLong = costs.isLong(kind) || request.fillsMany(now: now)
                let isQueued = workers.submit(for: owner, isLong: isLong) { [self] in
                    let start = MonotonicTime.now()
                    done(compute(request, now, reuse, order, isAbandoned))
                    costs.note(kind, MonotonicTime.now().since(start))
                }
                if !isQueued { done(.failure(CachedQueries.failure(.overloaded))) }
            },
            completion: { result in completion(CachedQueries.result(result)) })
    }

    /// How stale an answer may be for a caller that did not say: what a client was told is stored is
    /// in every answer after that.
    private func sincePromise(_ conditions: CacheConditions) -> Duration {
        guard conditions.maxStale == CacheConditions.boundedStaleness else {
            return conditions.maxStale
        }
        return MonotonicTime.now().since(storeVersion.lastPromise)
    }

    /// What the request says itself. A plan is about this moment and never kept.
    private static func mode(_ request: QueryRequest) -> CacheMode? {
        request.explain ? .bypass : mode(request.cacheMode)
    }

    static func mode(_ asked: QueryCacheMode?) -> CacheMode? {
        switch asked {
        case .refresh: .refresh
        case .bypass: .bypass
        case .only: .only
        case nil: nil
        }
    }

    /// Whoever wants nothing from the cache gets no single buckets either. A plan says how many there
    /// would be.
    private func reuse(_ request: QueryRequest, _ mode: CacheMode) -> BucketReuse? {
        guard request.interval != nil, mode != .bypass || request.explain else { return nil }
        return BucketReuse(cache.memory, buckets, reads: mode != .refresh)
    }

    // MARK: On a worker

    private func compute(
        _ request: QueryRequest, _ now: Int64, _ reuse: BucketReuse?, _ order: FlightOrder,
        _ isAbandoned: @escaping @Sendable () -> Bool
    ) -> CacheComputation {
        // Both from before anything is read, so that they vouch for no more than was read.
        let version = version.current
        let readAt = MonotonicTime.now()
        defer { duration.observe(MonotonicTime.now().since(readAt)) }
        var known = order.known
        if let entry = known, entry.freshUntil.since(readAt) < CachedQueries.renewal { known = nil }
        do throws(QueryError) {
            let answer = try queries.answer(
                request, now: now, unless: known?.stamp.map(GenerationState.init), reuse: reuse,
                deadline: order.deadline,
                isCancelled: { order.isCancelled || (!order.isForOthers && isAbandoned()) })
            guard let answer else { return .unchanged(at: readAt, version: version) }
            return .answer(
                CachedAnswer.content(
                    answer, tags: request.cacheTags(now: now), version: version),
                CachedQueries.lifetime,
                at: readAt)
        } catch {
            return .failure(CachedQueries.failure(error))
        }
    }

    private func stampReader(
        _ request: QueryRequest, _ now: Int64, _ owner: String
    ) -> StampReader {
        StampReader { [self] order, done in
            let isQueued = workers.submit(for: owner) { [self] in
                let state = try? queries.generation(request, now: now, deadline: order.deadline)
                // Without a set hash no other node's answer can be told to be this one's.
                done(state?.setHash == nil ? nil : state.map(GenerationStamp.init))
            }
            if !isQueued { done(nil) }
        }
    }

    // MARK: Errors

    static func failure(_ error: QueryError) -> CacheFailure {
        let code: CacheFailure.Code =
            switch error.kind {
            case .badRequest, .forbidden, .unprocessable: .deterministic
            case .timeout: .timeout
            case .unavailable, .notCached: .transient
            }
        return CacheFailure(code, cause: error, causeBytes: error.byteCount)
    }

    static func result(
        _ result: Result<CacheReply, CacheFailure>
    ) -> Result<CachedAnswer, QueryError> {
        switch result {
        case .success(let reply):
            guard let answer = CachedAnswer(reply) else { return .failure(.noAnswer) }
            return .success(answer)
        case .failure(let failure):
            if let error = failure.cause as? QueryError { return .failure(error) }
            return switch failure.code {
            case .timeout: .failure(.late())
            case .notCached: .failure(.notCached)
            case .deterministic, .transient, .closed: .failure(.noAnswer)
            }
        }
    }
}

extension GenerationState {
    fileprivate init(_ stamp: GenerationStamp) {
        self.init()
        count = stamp.count
        setHash = stamp.setHash
    }
}

extension QueryError {
    fileprivate static let notCached = QueryError(
        .notCached, code: "not_cached", "no cache holds the answer", parameter: "cache")
    static let overloaded = QueryError(
        .unavailable, code: "overloaded", "too many requests wait for the store")
    fileprivate static let noAnswer = QueryError(
        .unavailable, code: "store_unavailable", "the store could not answer")
}
