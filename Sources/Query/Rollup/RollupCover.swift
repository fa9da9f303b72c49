import Primitives

/// Whether a rollup's declaration covers a plan, and how its groups and metrics map to the plan's.
/// Looks at no row.
struct RollupCover {
    let rollup: Rollup
    /// For each group of the plan, which of the rollup's it is.
    let groups: [Int]
    /// For each feed of the plan's layout, which of the rollup's it is.
    let feeds: [Int]
    /// Conditions, each with the rollup's group that it looks at.
    let conditions: [(group: Int, reading: ScanLayout.Reading, condition: QueryCondition)]
    /// The rollup's group that holds types, if not all of its types are asked for.
    let typeGroup: Int?
    /// Rows of all groups may be taken together, without looking at their keys.
    var readsGroups: Bool { !groups.isEmpty || !conditions.isEmpty || typeGroup != nil }
    /// Some of what is asked is lost where events go, until a bucket is counted anew.
    let needsFresh: Bool
    /// Metrics that are sketches, by their number in the request.
    let sketched: [Int]

    /// Why a rollup does not answer a plan: the end of "… because".
    struct Refusal: Error { let reason: String }

    init(_ rollup: Rollup, _ plan: QueryPlan, _ layout: ScanLayout) throws(Refusal) {
        self.rollup = rollup
        let request = plan.request
        typeGroup = try Self.typeGroup(rollup, request)
        groups = try request.groups.map { field throws(Refusal) in
            guard let group = rollup.groups.firstIndex(where: { $0.place == field.place }) else {
                throw Refusal(reason: "it does not group by a field that group_by names")
            }
            return group
        }
        var conditions: [(Int, ScanLayout.Reading, QueryCondition)] = []
        for (reading, condition) in layout.conditions {
            let place = condition.field.place
            guard let group = rollup.groups.firstIndex(where: { $0.place == place }) else {
                throw Refusal(reason: "it does not group by a field that where names")
            }
            conditions.append((group, reading, condition))
        }
        self.conditions = conditions
        let kept = rollup.feeds
        var feeds: [Int?] = Array(repeating: nil, count: layout.feeds.count)
        var (needsFresh, sketched) = (false, [Int]())
        for (index, metric) in request.metrics.enumerated() {
            guard case .of(let function, let field) = metric.measure,
                let feed = layout.metrics[index]?.feed
            else { continue }
            guard let found = kept.firstIndex(where: { $0.serves(function, field) }) else {
                throw Refusal(reason: "it does not keep one of the metrics")
            }
            feeds[feed] = found
            if function == .min || function == .max || function.isSketchedInRollups {
                needsFresh = true
            }
            if function.isSketchedInRollups { sketched.append(index) }
        }
        self.feeds = feeds.compactMap { $0 }
        self.needsFresh = needsFresh
        self.sketched = sketched
        try Self.check(rollup, plan.buckets)
    }

    private static func typeGroup(
        _ rollup: Rollup, _ request: QueryRequest
    ) throws(Refusal) -> Int? {
        let asked = Set(request.types.map { ExactText($0) })
        let kept = Set(rollup.types.map { ExactText($0) })
        if asked == kept { return nil }
        guard kept.isEmpty || !asked.isEmpty && asked.isSubset(of: kept) else {
            throw Refusal(reason: "it is of other event types")
        }
        guard let group = rollup.groups.firstIndex(where: { $0.place == .type }) else {
            throw Refusal(reason: "it holds more event types and does not group by type")
        }
        return group
    }

    /// Buckets of the calendar are looked at one by one, see `RollupPlanner`.
    private static func check(_ rollup: Rollup, _ buckets: QueryBuckets?) throws(Refusal) {
        guard let interval = buckets?.interval, !interval.followsCalendar else { return }
        guard interval.widthMilliseconds.isMultiple(of: rollup.widthMilliseconds) else {
            throw Refusal(reason: "the interval is no multiple of its own")
        }
    }
}
