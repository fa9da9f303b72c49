import Primitives
import SQLite

/// Rows per bucket of time.
extension QueryCompiler {
    /// SQL for the start of the bucket that `e.time` lies in.
    ///
    /// Most buckets lie a fixed width apart, so a row's bucket is arithmetic. Where a zone's clocks
    /// change, and for months, another arithmetic holds from some bucket on. The latest stretch is
    /// asked first: most events are young.
    mutating func bucketExpression(_ buckets: QueryBuckets) -> String {
        let width = buckets.interval.widthMilliseconds
        guard buckets.interval.followsCalendar else {
            let start = bind(.integer(starts[0]))
            return "e.time - (e.time - \(start)) % \(width)"
        }
        var sql = "CASE"
        for stretch in stretches(width: width).reversed() {
            let start = bind(.integer(stretch.start))
            sql += " WHEN e.time >= \(start) THEN "
            sql += stretch.isSingle ? start : "e.time - (e.time - \(start)) % \(width)"
        }
        return sql + " END"
    }

    /// From `start` on up to the next stretch: buckets of the interval's width, or a single one.
    private struct Stretch {
        var start: Int64
        var isSingle: Bool
    }

    private func stretches(width: Int64) -> [Stretch] {
        var stretches: [Stretch] = []
        var previousFits = false
        for (start, next) in zip(starts, starts.dropFirst()) {
            let isSingle = next - start > width
            if isSingle || !previousFits {
                stretches.append(Stretch(start: start, isSingle: isSingle))
            }
            previousFits = next - start == width
        }
        if let last = starts.last { stretches.append(Stretch(start: last, isSingle: true)) }
        return stretches
    }

    /// `rows` with those added that have no events: every bucket up to the plan's `filledEnd`, for
    /// every group that has a row in any bucket.
    mutating func filled(_ rows: String, _ fill: QueryFill) -> String {
        let groups = (1..<request.keyCount).map { "c\($0)" }
        let end = plan.filledEnd
        let starts = bind(
            .text("[" + starts.filter { $0 < end }.map { "\($0)" }.joined(separator: ",") + "]"))
        let metrics = request.metrics.enumerated().map { index, metric in
            let name = "c\(index + request.keyCount)"
            let empty = fill == .zero && !metric.isTime ? "0" : "NULL"
            return "CASE WHEN r.c0 IS NULL THEN \(empty) ELSE r.\(name) END AS \(name)"
        }
        var sql = "WITH r AS MATERIALIZED (\(rows))"
        if !groups.isEmpty {
            sql += ", g AS MATERIALIZED (SELECT DISTINCT \(groups.joined(separator: ", ")) FROM r)"
        }
        sql += " SELECT "
        sql += (["s.b AS c0"] + groups.map { "g.\($0) AS \($0)" } + metrics).joined(separator: ", ")
        sql += " FROM (SELECT value AS b FROM json_each(\(starts))) AS s"
        if !groups.isEmpty { sql += " CROSS JOIN g" }
        sql += " LEFT JOIN r ON r.c0 = s.b"
        for group in groups { sql += " AND r.\(group) IS g.\(group)" }
        // Events of clients whose clocks run ahead have rows behind what is filled in.
        let columns = (0..<request.columns.count).map { "c\($0)" }.joined(separator: ", ")
        return "SELECT * FROM (\(sql) UNION ALL SELECT \(columns) FROM r"
            + " WHERE c0 >= \(bind(.integer(end))))"
    }
}
