import Primitives
import SQLite
import Storage

/// Finds the rollup that answers a plan at the least cost. Reads in the snapshot of the answer.
///
/// DESIGN. A rollup gives whole buckets; the edges of the range are read from the events. So are
/// buckets that say too little: those that wait to be counted anew, where least values or sketches
/// are asked; those with more groups than rows, where groups matter; and those in which a day, a
/// week or a month of the zone begins. The last bucket may be open: rollups change with the events
/// in one transaction.
///
/// Where a sketch is asked, events are gathered in sketches as well (`ScanLayout.isSketched`), so
/// an answer does not depend on which part came from where. Whether the first page was made so is
/// said by the cursor, and the other pages obey it.
struct RollupPlanner {
    let plan: QueryPlan
    let layout: ScanLayout
    let connection: Connection
    /// A later page counts rows up to its first page's last one; a rollup has all of them.
    let isPageOfPast: Bool

    /// Stretches of events between buckets, above which a rollup does not pay.
    private static let rawLimit = 64

    func choose(_ rollups: [Rollup]) throws(SQLiteError) -> RollupChoice {
        var choice = RollupChoice()
        guard plan.request.usesRollups else {
            choice.verdicts = rollups.map { ($0.name, "the question says rollup=off") }
            return choice
        }
        let records = try RollupCatalogue(connection).records()
        var candidates: [(index: Int, plan: RollupPlan)] = []
        for (index, rollup) in rollups.enumerated() {
            let cover: RollupCover
            let record: RollupRecord
            do throws(RollupCover.Refusal) {
                cover = try RollupCover(rollup, plan, layout)
                record = try Self.record(of: rollup, records)
            } catch {
                choice.verdicts.append((rollup.name, error.reason))
                continue
            }
            var found = try divided(cover, record)
            if rollups.count > 1, found.objection == nil { found.cost = try cost(found) }
            candidates.append((index, found))
            choice.verdicts.append((rollup.name, found.objection ?? "another one costs less"))
        }
        let best = candidates.min { Self.precedes($0.plan, $1.plan) }
        guard let best else { return choice }
        if let cursor = plan.request.cursor, !best.plan.cover.sketched.isEmpty {
            guard cursor.isSketched else {
                choice.verdicts[best.index].reason =
                    best.plan.objection ?? "the first page came from the events"
                return choice
            }
        } else if best.plan.objection != nil {
            // What gives nothing is of use only for its sketches, on a page that has to fit others.
            return choice
        }
        choice.plan = best.plan
        if best.plan.objection == nil { choice.verdicts[best.index].reason = nil }
        return choice
    }

    private static func record(
        of rollup: Rollup, _ records: [RollupRecord]
    ) throws(RollupCover.Refusal) -> RollupRecord {
        let record = records.first {
            $0.name == rollup.name && $0.fingerprint == rollup.fingerprint
        }
        guard let record else { throw .init(reason: "it has just been declared") }
        guard record.isComplete else { throw .init(reason: "it is being filled") }
        return record
    }

    /// What gives something comes first, then what costs least.
    private static func precedes(_ a: RollupPlan, _ b: RollupPlan) -> Bool {
        if (a.objection == nil) != (b.objection == nil) { return a.objection == nil }
        return a.cost < b.cost
    }

    /// Rows of the rollup that are read, by those of some of its buckets, and events of the edges, by
    /// how many there are in all. An event costs as much as two rows.
    private func cost(_ found: RollupPlan) throws(SQLiteError) -> Double {
        let oldest = try connection.integer("SELECT min(time) FROM event_rows")
        let newest = try connection.integer("SELECT max(time) FROM event_rows")
        let events = try connection.integer("SELECT value FROM meta WHERE key = 'event_count'")
        guard let oldest, let newest, let events else { return 0 }
        let all = oldest..<newest + 1
        let eventsPerMillisecond = Double(events) / Double(all.count)
        let raw = found.raw.reduce(0) { $0 + $1.clamped(to: all).count }
        let width = found.cover.rollup.widthMilliseconds
        let buckets = Double(found.whole.clamped(to: all).count) / Double(width) + 1
        let rowsPerBucket = try rowsPerBucket(found)
        return buckets * rowsPerBucket + 2 * Double(raw) * eventsPerMillisecond
    }

    /// The mean over the newest buckets.
    private func rowsPerBucket(_ found: RollupPlan) throws(SQLiteError) -> Double {
        let select = try connection.cached(
            """
            SELECT avg(groups) FROM (SELECT groups FROM rollup_buckets
                WHERE rollup_id = ?1 AND bucket >= ?2 AND bucket < ?3
                ORDER BY bucket DESC LIMIT 32)
            """)
        defer { select.reset() }
        select.bind(1, found.record.id)
        select.bind(2, found.whole.lowerBound)
        select.bind(3, found.whole.upperBound)
        return try select.step() ? select.real(0) : 0
    }

    // MARK: Dividing the range

    private func divided(
        _ cover: RollupCover, _ record: RollupRecord
    ) throws(SQLiteError) -> RollupPlan {
        func nothing(_ objection: String) -> RollupPlan {
            RollupPlan(
                cover: cover, record: record, whole: plan.from..<plan.from, leftOut: [],
                raw: [plan.from..<plan.to], objection: objection)
        }
        if isPageOfPast { return nothing("events have come since the first page") }
        let width = cover.rollup.widthMilliseconds
        let first = floor(plan.from + width - 1, to: width)
        // An open range ends after every event, and so after every bucket.
        let end = plan.isOpen ? plan.to : floor(plan.to, to: width)
        guard first < end else { return nothing("no bucket lies within the range") }
        guard let divided = try straddled(first..<end, width) else {
            return nothing("days of the zone do not begin with its buckets")
        }
        let left = try poor(cover, record, first..<end).union(divided)
        let raw = stretches(first..<end, left, width)
        guard raw.count <= Self.rawLimit else {
            return nothing("too many of its buckets wait to be counted anew")
        }
        return RollupPlan(
            cover: cover, record: record, whole: first..<end, leftOut: left, raw: raw,
            objection: nil)
    }

    /// Buckets in which one of the question's buckets begins after their start; nil if they are
    /// many.
    private func straddled(
        _ whole: Range<Int64>, _ width: Int64
    ) throws(SQLiteError) -> Set<Int64>? {
        guard let buckets = plan.buckets, buckets.interval.followsCalendar else { return [] }
        let oldest = try connection.integer("SELECT min(time) FROM event_rows")
        let newest = try connection.integer("SELECT max(time) FROM event_rows")
        guard let oldest, let newest else { return [] }
        let (from, to) = (max(whole.lowerBound, oldest), min(whole.upperBound, newest + 1))
        guard from < to else { return [] }
        guard let starts = try? buckets.starts(from: from, to: to) else { return nil }
        let found = Set(
            starts.filter { !$0.isMultiple(of: width) }.map { floor($0, to: width) })
        return found.count <= Self.rawLimit ? found : nil
    }

    /// Buckets that say too little for the question.
    private func poor(
        _ cover: RollupCover, _ record: RollupRecord, _ whole: Range<Int64>
    ) throws(SQLiteError) -> Set<Int64> {
        var flags = RollupBucket.Flags.broken
        if cover.needsFresh { flags.insert(.stale) }
        if cover.readsGroups { flags.insert(.overflowed) }
        let select = try connection.cached(
            """
            SELECT bucket FROM rollup_buckets
            WHERE rollup_id = ?1 AND bucket >= ?2 AND bucket < ?3 AND flags & ?4 <> 0
            """)
        defer { select.reset() }
        select.bind(1, record.id)
        select.bind(2, whole.lowerBound)
        select.bind(3, whole.upperBound)
        select.bind(4, flags.rawValue)
        var found: Set<Int64> = []
        while try select.step() { found.insert(select.integer(0)) }
        return found
    }

    /// The edges and the buckets that are left out, neighbours joined.
    private func stretches(
        _ whole: Range<Int64>, _ leftOut: Set<Int64>, _ width: Int64
    ) -> [Range<Int64>] {
        var raw: [Range<Int64>] = []
        func add(_ range: Range<Int64>) {
            if range.isEmpty { return }
            if let last = raw.last, last.upperBound == range.lowerBound {
                raw[raw.count - 1] = last.lowerBound..<range.upperBound
            } else {
                raw.append(range)
            }
        }
        add(plan.from..<whole.lowerBound)
        for start in leftOut.sorted() where whole.contains(start) {
            add(start..<min(start + width, plan.to))
        }
        add(whole.upperBound..<plan.to)
        return raw
    }
}
