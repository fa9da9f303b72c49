/// Records that became visible together, in the order in which they came.
package struct LogCommit: Sendable {
    package let batches: [LogBatch]
    /// The number of the first record; the others count on from it.
    package let firstArrival: Int64
    /// The row of each in its day's file; -1 for a record that was not kept.
    let rows: [Int64]

    package var byteCount: Int { batches.reduce(0) { $0 + $1.byteCount } }
    package var count: Int { rows.count }
    /// One above the last record's.
    package var endArrival: Int64 { firstArrival + Int64(rows.count) }
}
