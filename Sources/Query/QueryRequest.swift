/// A query that has been read and checked: nothing in it is relative any more, so the same request
/// asks the same thing whenever it runs.
package struct QueryRequest: Sendable {
    package var metrics: [QueryMetric]
    /// Event types; empty means all.
    package var types: [String]
    /// Milliseconds since 1970; `[from, to)`.
    package var from: Int64
    package var to: Int64
    package var interval: QueryInterval?
    /// The zone whose days `1d` counts.
    package var zone: TimeZoneRules
    /// Set exactly if `interval` is.
    package var buckets: QueryBuckets?
    package var groups: [QueryField]
    package var conditions: [QueryCondition]
    package var order: [QueryOrder]
    /// Rows of a page, 1 to 10,000.
    package var limit: Int
    /// Rows on the pages before.
    package var offset: Int
    package var fill: QueryFill?
    package var cacheMode: QueryCacheMode?
    /// Seconds of staleness the caller accepts. Answers are computed fresh, so any value holds.
    package var maxStaleSeconds: Int?
    package var explain: Bool
    package var format: QueryFormat
    package var shape: QueryShape
    /// When the first page was asked for, milliseconds since 1970: what relative times count from.
    package var now: Int64

    /// Columns of the answer, in order: `time` for the bucket, the groups, the metrics.
    package var columnNames: [String] {
        (interval == nil ? [] : ["time"]) + groups.map(\.name) + metrics.map(\.name)
    }

    /// Columns in front of the metrics: what makes a row the row it is.
    var keyCount: Int { (interval == nil ? 0 : 1) + groups.count }
}
