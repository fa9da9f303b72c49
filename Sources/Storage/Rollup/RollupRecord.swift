/// A rollup as the file knows it.
package struct RollupRecord: Sendable, Equatable {
    package let id: Int64
    package let name: String
    /// Of its declaration; another one makes another rollup.
    package let fingerprint: Int64
    /// Rows up to `filled`, and rows after `fillEnd`, are counted.
    package var filled: Int64
    package let fillEnd: Int64

    package init(id: Int64, name: String, fingerprint: Int64, filled: Int64, fillEnd: Int64) {
        self.id = id
        self.name = name
        self.fingerprint = fingerprint
        self.filled = filled
        self.fillEnd = fillEnd
    }

    /// Every row is counted, so that answers may be taken from it.
    package var isComplete: Bool { filled >= fillEnd }

    /// Whether the row with this `seq` is one of those that are counted.
    package func counts(_ seq: Int64) -> Bool { seq <= filled || seq > fillEnd }
}

/// What is true of all rows of a rollup in one bucket of time.
package struct RollupBucket: Sendable, Equatable {
    /// Rows, without the one for all others.
    package var groups: Int64 = 0
    package var flags: Flags = []

    package struct Flags: OptionSet, Sendable {
        package let rawValue: Int64
        package init(rawValue: Int64) { self.rawValue = rawValue }

        /// Events went, and least and greatest values and counts of distinct values are not known
        /// until the bucket is counted anew. Counts and sums are right.
        package static let stale = Flags(rawValue: 1)
        /// Some groups have no row of their own and share one.
        package static let overflowed = Flags(rawValue: 2)
        /// Nothing in it is to be relied on until it is counted anew.
        package static let broken = Flags(rawValue: 4)
    }

    package init() {}

    package init(groups: Int64, flags: Flags) {
        self.groups = groups
        self.flags = flags
    }
}

/// How much of a rollup is there, for reports.
package struct RollupSize: Sendable, Equatable {
    package var buckets: Int64 = 0
    package var rows: Int64 = 0
    /// Buckets that wait to be counted anew.
    package var staleBuckets: Int64 = 0
    /// Buckets with more groups than they may have rows.
    package var overflowedBuckets: Int64 = 0

    package init() {}

    init(buckets: Int64, rows: Int64, staleBuckets: Int64, overflowedBuckets: Int64) {
        self.buckets = buckets
        self.rows = rows
        self.staleBuckets = staleBuckets
        self.overflowedBuckets = overflowedBuckets
    }
}
