import Primitives

/// One number (or value) that a query computes for each row.
package struct QueryMetric: Hashable, Sendable {
    package enum Function: String, Hashable, Sendable, CaseIterable {
        case sum, avg, min, max, uniq
        case p50, p90, p95, p99

        /// The hundredths of a percentile; nil for other functions.
        var percent: Int? {
            switch self {
            case .p50: 50
            case .p90: 90
            case .p95: 95
            case .p99: 99
            case .sum, .avg, .min, .max, .uniq: nil
            }
        }

        /// It computes with numbers and passes over everything else.
        var needsNumbers: Bool { self == .sum || self == .avg || percent != nil }
    }

    package enum Measure: Hashable, Sendable {
        case count
        case of(Function, QueryField)
    }

    private let exactName: ExactText
    package let measure: Measure

    /// As the client wrote it; the column carries this name.
    package var name: String { exactName.text }
    /// A value of this metric is a moment: `min:time`, `max:time`.
    package var isTime: Bool { type == .time }

    /// What its values are; nil where the field's values decide: a sum of integers is an integer.
    var type: QueryAnswer.ColumnType? {
        guard case .of(let function, let field) = measure else { return .integer }
        switch function {
        case .uniq: return .integer
        case .avg: return .real
        case .sum, .p50, .p90, .p95, .p99: return nil
        case .min, .max: return field.type
        }
    }

    /// One request asks for at most this many.
    static let limit = 20

    static func parse(_ text: String) throws(QueryError) -> QueryMetric {
        if text == "count" { return QueryMetric(exactName: "count", measure: .count) }
        guard let parts = QueryField.splitAtColon(text),
            let function = Function(rawValue: String(parts.field))
        else { throw grammar }
        let field = try QueryField.parse(parts.rest, for: "metric")
        if function.needsNumbers, !field.isJSON {
            throw .invalid(
                "metric",
                "must not take \(function.rawValue) of an attribute, which is no number; "
                    + "\(function.rawValue):data.\(field.name) is the member of data that is called "
                    + "so")
        }
        return QueryMetric(exactName: ExactText(text), measure: .of(function, field))
    }

    private static let grammar = QueryError.invalid(
        "metric",
        "must be a comma list of count and of sum:F, avg:F, min:F, max:F, uniq:F, p50:F, p90:F, "
            + "p95:F, p99:F; a comma written as %2C is part of a name")
}
