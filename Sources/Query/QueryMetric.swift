import Primitives

/// One number (or value) that a query computes for each row.
package struct QueryMetric: Hashable, Sendable {
    package enum Function: String, Hashable, Sendable, CaseIterable {
        case sum, avg, min, max, uniq
    }

    package enum Measure: Hashable, Sendable {
        case count
        case of(Function, QueryField)
    }

    /// As the client wrote it; the column carries this name.
    package let name: String
    package let measure: Measure

    /// A value of this metric is a moment: `min:time`, `max:time`.
    package var isTime: Bool { type == .time }

    /// What its values are; nil where the field's values decide: a sum of integers is an integer.
    var type: QueryResult.ColumnType? {
        guard case .of(let function, let field) = measure else { return .integer }
        switch function {
        case .uniq: return .integer
        case .avg: return .real
        case .sum: return nil
        case .min, .max: return field.type
        }
    }

    /// One `metric` parameter holds at most this many.
    static let limit = 20
    private static let percentiles = ["p50", "p90", "p95", "p99"]

    static func parse(_ text: Substring) throws(QueryError) -> QueryMetric {
        if text == "count" { return QueryMetric(name: "count", measure: .count) }
        let parts = text.parts(by: ":", most: 2)
        guard parts.count == 2 else { throw grammar }
        if percentiles.contains(String(parts[0])) {
            throw QueryError(
                .unprocessable, code: "unsupported_metric",
                "this version does not compute percentiles; count sum avg min max uniq are offered",
                parameter: "metric")
        }
        guard let function = Function(rawValue: String(parts[0])) else { throw grammar }
        let field = try QueryField.parse(parts[1], for: "metric")
        if function == .sum || function == .avg, !field.isData {
            throw .invalid("metric", "must not take sum or avg of an attribute: it is no number")
        }
        return QueryMetric(name: String(text), measure: .of(function, field))
    }

    private static let grammar = QueryError.invalid(
        "metric", "must be a comma list of count, sum:F, avg:F, min:F, max:F and uniq:F")
}
