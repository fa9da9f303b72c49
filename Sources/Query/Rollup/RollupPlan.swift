import Storage

/// Which part of a range is taken from a rollup, and which from the events.
struct RollupPlan {
    let cover: RollupCover
    let record: RollupRecord
    /// Buckets that begin in it, but for those that are left out.
    let whole: Range<Int64>
    /// Starts of buckets in `whole` that cannot answer the question: stale or overflowed ones, and
    /// those in which a day, week or month of the zone begins.
    let leftOut: Set<Int64>
    /// What is read from the events: the edges, and the buckets that are left out. In order.
    let raw: [Range<Int64>]
    /// The estimated cost, in rows of a rollup.
    var cost = 0.0
    /// Why the rollup gives nothing although it covers the question; nil if it gives something.
    let objection: String?

    var name: String { cover.rollup.name }
}

/// What was found for a plan: the rollup to use, and of each what was said about it.
struct RollupChoice {
    var plan: RollupPlan?
    /// In the order of their declaration; nil for the one that is used.
    var verdicts: [(name: String, reason: String?)] = []
}
