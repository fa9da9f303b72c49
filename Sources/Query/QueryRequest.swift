/// A query that has been read and checked, as the client asked it: moments are still relative and
/// zones are names, so that reading one touches no clock and no file and an event loop may do it.
/// `QueryPlan` makes it something that can be run.
package struct QueryRequest: Sendable {
    package var metrics: [QueryMetric]
    /// Event types; empty means all.
    package var types: [String]
    /// Nil: a day before the end of the range.
    package var from: QueryMoment?
    /// Nil: without end.
    package var to: QueryMoment?
    package var interval: QueryInterval?
    /// The zone whose days, weeks and months are meant. Not looked up yet.
    package var zone: String
    package var groups: [QueryField]
    package var conditions: [QueryCondition]
    package var order: [QueryOrder] = []
    /// Rows of a page, 1 to 10,000.
    package var limit = 1000
    /// Where the page begins; nil for the first one.
    var cursor: QueryCursor?
    package var fill: QueryFill?
    package var cacheMode: QueryCacheMode?
    /// Seconds of staleness the caller accepts; 0 is strictly fresh.
    package var maxStaleSeconds: Int?
    package var explain = false
    /// Answers may be taken from rollups.
    package var usesRollups = true
    package var format = QueryFormat.json
    package var shape = QueryShape.rows

    /// Columns of the answer, in order: `time` for the bucket, the groups, the metrics.
    package var columnNames: [String] { columns.map(\.name) }

    /// Columns in front of the metrics: what makes a row the row it is.
    var keyCount: Int { (interval == nil ? 0 : 1) + groups.count }

    var columns: [QueryColumn] {
        var columns: [QueryColumn] = []
        if interval != nil { columns.append(QueryColumn(name: "time", type: .time)) }
        columns += groups.map { QueryColumn(name: $0.name, type: $0.type) }
        columns += metrics.map { QueryColumn(name: $0.name, type: $0.type) }
        return columns
    }
}

/// A column of an answer, before there are values in it.
struct QueryColumn: Hashable, Sendable {
    let name: String
    /// What its values are, whatever the events hold; nil where only they decide. Any value may
    /// be null.
    let type: QueryAnswer.ColumnType?

    /// Its integers are milliseconds since 1970.
    var isTime: Bool { type == .time }
}
