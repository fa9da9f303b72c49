import Primitives
import SQLite
import Storage

/// How plans are answered; nothing else of this room knows SQLite. Blocks: use it on a thread that
/// may.
package enum QueryBackend: Sendable {
    /// By stepping over the rows (`QueryScan`), and by SQL where groups do not fit in memory.
    case scan
    /// By SQL alone: the oracle of the tests.
    case sql

    /// Answers `plan` from `connection`, which belongs to the caller's thread until this returns, has
    /// a read transaction open, and holds no open statement afterwards.
    /// - Parameters:
    ///   - readers: where a large scan borrows more connections; nil for none.
    ///   - rollups: those that the store keeps, as they are declared.
    ///   - reuse: where rows of single buckets are kept; nil for nowhere.
    ///   - isCancelled: asked now and then; true ends the query.
    package func run(
        _ plan: QueryPlan, on connection: Connection, readers: ReaderPool? = nil,
        rollups: [Rollup] = [], reuse: BucketReuse? = nil, deadline: Deadline,
        isCancelled: (@Sendable () -> Bool)? = nil
    ) throws(QueryError) -> QueryAnswer {
        // The progress handler first asks after thousands of steps; a late caller is told at once.
        guard !deadline.hasPassed else { throw .late() }
        connection.limit(until: deadline, isCancelled: isCancelled)
        defer { connection.clearLimit() }
        let snapshot: QuerySnapshot
        do throws(SQLiteError) { snapshot = try QueryBackend.snapshot(plan, connection) } catch {
            throw .store(error)
        }
        let choice = try QueryBackend.choice(plan, rollups, connection, snapshot)
        if plan.request.explain {
            return try QueryExplanation(
                plan: plan, connection: connection, choice: choice, reuse: reuse
            )
            .answer(snapshot)
        }
        var encoder = RowEncoder(
            plan.request, approximate: choice.plan?.cover.sketched ?? [])
        let hasMore: Bool
        switch self {
        case .sql:
            hasMore = try SQLScan(plan: plan, connection: connection).run(&encoder, snapshot)
        case .scan:
            let scan = QueryScan(
                plan: plan, connection: connection, readers: readers, deadline: deadline,
                isCancelled: isCancelled, reuse: reuse)
            hasMore = try QueryBackend.run(scan, choice.plan, &encoder, snapshot)
        }
        let next = QueryCursor(
            fingerprint: plan.request.fingerprint, now: plan.now,
            offset: plan.offset + encoder.rowCount, lastSeq: snapshot.lastSeq,
            isSketched: encoder.isApproximate)
        return encoder.finish(
            plan.request.format, next: hasMore ? next.text : nil, from: snapshot)
    }

    private static func run(
        _ scan: QueryScan, _ rollup: RollupPlan?, _ encoder: inout RowEncoder,
        _ snapshot: QuerySnapshot
    ) throws(QueryError) -> Bool {
        do throws(ScanFailure) {
            guard let rollup else { return try scan.run(&encoder) }
            return try RollupScan(scan: scan, rollup: rollup, lastSeq: snapshot.lastSeq)
                .run(&encoder)
        } catch {
            guard case .tooLarge = error else {
                if case .sqlite(let cause) = error { throw .store(cause) }
                throw .late()
            }
        }
        guard scan.plan.request.metrics.allSatisfy(\.isSQL) else {
            throw QueryError(
                .unprocessable, code: "query_too_large",
                "percentiles keep every number in memory, and these are too many; ask for a "
                    + "shorter range or fewer percentiles")
        }
        encoder = RowEncoder(scan.plan.request)
        return try SQLScan(plan: scan.plan, connection: scan.connection).run(&encoder, snapshot)
    }

    /// Where the answer comes from, read in its snapshot. SQL alone knows no rollups.
    private static func choice(
        _ plan: QueryPlan, _ rollups: [Rollup], _ connection: Connection,
        _ snapshot: QuerySnapshot
    ) throws(QueryError) -> RollupChoice {
        if rollups.isEmpty { return RollupChoice() }
        let planner = RollupPlanner(
            plan: plan, layout: ScanLayout(plan), connection: connection,
            isPageOfPast: snapshot.lastSeq < snapshot.newestSeq)
        do throws(SQLiteError) { return try planner.choose(rollups) } catch {
            throw .store(error)
        }
    }

    /// Read in the transaction of the rows, or a generation could vouch for rows it never saw.
    private static func snapshot(
        _ plan: QueryPlan, _ connection: Connection
    ) throws(SQLiteError) -> QuerySnapshot {
        let generation = try Generations.state(
            connection, types: plan.request.types, from: plan.from, to: plan.endOrNil)
        let newest = try connection.integer("SELECT max(seq) FROM event_rows")
        return QuerySnapshot(
            generation: generation, lastSeq: plan.request.cursor?.lastSeq ?? newest ?? 0,
            newestSeq: newest ?? 0, takenAt: WallClock.nowMilliseconds())
    }
}
