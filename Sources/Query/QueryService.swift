import Primitives
import SQLite
import Storage

/// Computes answers to questions about stored events, each anew; `CachedQueries` keeps them.
///
///     let request = try QueryRequest.parse(parameters)      // on any thread
///     let answer = try service.answer(request, deadline: …) // on one that may block
package struct QueryService: Sendable {
    private let readers: ReaderPool
    private let backend: QueryBackend
    private let rollups: [Rollup]

    /// - Parameter rollups: those that the store keeps, as they are declared.
    package init(
        _ readers: ReaderPool, backend: QueryBackend = .scan, rollups: [Rollup] = []
    ) {
        self.readers = readers
        self.backend = backend
        self.rollups = rollups
    }

    /// Any thread that may block.
    /// - Parameters:
    ///   - now: milliseconds since 1970; what relative moments count from.
    ///   - isCancelled: asked now and then; true ends the query.
    package func answer(
        _ request: QueryRequest, now: Int64 = WallClock.nowMilliseconds(), deadline: Deadline,
        isCancelled: (@Sendable () -> Bool)? = nil
    ) throws(QueryError) -> QueryAnswer {
        let answer = try answer(
            request, now: now, unless: nil, reuse: nil, deadline: deadline,
            isCancelled: isCancelled)
        guard let answer else { preconditionFailure("nothing was known before") }
        return answer
    }

    /// - Parameters:
    ///   - known: what an answer that is there was computed from.
    ///   - reuse: where rows of single buckets are kept; nil for nowhere.
    /// - Returns: nil if the events still are those.
    func answer(
        _ request: QueryRequest, now: Int64, unless known: GenerationState?, reuse: BucketReuse?,
        deadline: Deadline, isCancelled: (@Sendable () -> Bool)?
    ) throws(QueryError) -> QueryAnswer? {
        let plan = try QueryPlan(request, now: now)
        return try reading(until: deadline, isCancelled) { connection throws(QueryError) in
            if let known, try generation(plan, connection) == known { return nil }
            return try backend.run(
                plan, on: connection, readers: readers, rollups: rollups, reuse: reuse,
                deadline: deadline,
                isCancelled: isCancelled)
        }
    }

    /// What an answer would be computed from. Any thread that may block.
    func generation(
        _ request: QueryRequest, now: Int64, deadline: Deadline
    ) throws(QueryError) -> GenerationState {
        let plan = try QueryPlan(request, now: now)
        return try reading(until: deadline, nil) { connection throws(QueryError) in
            try generation(plan, connection)
        }
    }

    private func generation(
        _ plan: QueryPlan, _ connection: Connection
    ) throws(QueryError) -> GenerationState {
        do throws(SQLiteError) {
            return try Generations.state(
                connection, types: plan.request.types, from: plan.from, to: plan.endOrNil)
        } catch {
            throw .store(error)
        }
    }

    private func reading<Result>(
        until deadline: Deadline, _ isCancelled: (@Sendable () -> Bool)?,
        _ body: (Connection) throws(QueryError) -> Result
    ) throws(QueryError) -> Result {
        do throws(QueryError) {
            return try readers.withReader(
                until: deadline, isCancelled: isCancelled, mapping: QueryError.init, body)
        } catch {
            if let cause = error.cause { readers.noteDamage(cause) }
            throw error
        }
    }
}
