import Primitives
import SQLite

/// A statement, the values of its parameters, and how its answer is written.
package struct SQLQuestion: Sendable {
    package var sql: String
    /// By the name of the parameter, without the mark before it. `:now` need not be among them.
    package var values: [String: SQLValue] = [:]
    package var format = QueryFormat.json
    package var shape = QueryShape.rows
    package var logs = LogAccess.notOffered
    /// Rows of an answer; more are cut off.
    package var rowLimit = SQLQuestion.rowLimit

    /// Whether the statement may read the table `logs`.
    package enum LogAccess: Sendable {
        case granted
        /// The caller reads events and no logs.
        case lacksScope
        /// Its answer may be kept, and nothing says when logs have changed.
        case notOffered
    }

    package static let rowLimit = 10_000
    /// Of one value; `StatementLimits` would refuse more.
    package static let valueLimitBytes = 32 << 10
    /// The moment of the question, in milliseconds since 1970.
    package static let present = "now"

    /// What the parameter of a value is called: `p.days` is `:days`.
    private static let prefix = "p."

    /// Reads decoded parameters: `q`, `p.NAME`, `format`, `shape`. A value that is a number in JSON
    /// is bound as one, and as text otherwise.
    /// - Parameters:
    ///   - typed: values whose type is known, by the names of `values`.
    ///   - format: what is written unless `format=` says otherwise.
    package static func parse(
        _ given: [Parameter], typed: [String: SQLValue] = [:], format: QueryFormat
    ) throws(QueryError) -> SQLQuestion {
        var question = SQLQuestion(sql: "", values: typed, format: format)
        var seen: Set<ExactText> = []
        for parameter in given {
            let name = parameter.name
            guard seen.insert(ExactText(name)).inserted else { throw .repeated(name) }
            let value = parameter.value
            switch name {
            case "q": question.sql = value
            case "format": question.format = try .choice(name, value)
            case "shape": question.shape = try .choice(name, value)
            default:
                guard let place = valueName(name) else {
                    throw .unknown(name, "q, p.NAME, format, shape")
                }
                try question.set(place, JSONNumber.parse(value) ?? .text(value))
            }
        }
        guard !question.sql.isEmpty else {
            throw .missing("q", "q is required: one SELECT")
        }
        return question
    }

    /// The name of a value among the parameters of a request; nil for another parameter.
    package static func valueName(_ parameter: String) -> String? {
        guard parameter.hasPrefix(prefix) else { return nil }
        let name = parameter.dropFirst(prefix.count)
        let isName =
            (1...63).contains(name.utf8.count)
            && name.utf8.allSatisfy {
                (0x30...0x39).contains($0) || (0x41...0x5A).contains($0)
                    || (0x61...0x7A).contains($0) || $0 == UInt8(ascii: "_")
            }
        return isName ? String(name) : nil
    }

    private mutating func set(_ name: String, _ value: SQLValue) throws(QueryError) {
        if case .text(let text) = value, text.utf8.count > SQLQuestion.valueLimitBytes {
            throw .invalid(
                SQLQuestion.prefix + name,
                "must be at most \(SQLQuestion.valueLimitBytes) bytes long")
        }
        values[name] = value
    }
}

extension RawRepresentable where Self: CaseIterable, RawValue == String {
    /// The value that `text` names.
    static func choice(_ parameter: String, _ text: String) throws(QueryError) -> Self {
        if let value = Self(rawValue: text) { return value }
        throw .invalid(
            parameter, "must be one of: \(allCases.map(\.rawValue).joined(separator: " "))")
    }
}

extension QueryError {
    static func missing(_ parameter: String, _ message: String) -> QueryError {
        QueryError(.badRequest, code: "missing_parameter", message, parameter: parameter)
    }

    static func repeated(_ parameter: String) -> QueryError {
        let name = ParameterName.shown(parameter)
        return QueryError(
            .badRequest, code: "repeated_parameter", "\(name) must be given once", parameter: name)
    }

    /// - Parameter offered: the parameters that there are.
    static func unknown(_ parameter: String, _ offered: String) -> QueryError {
        let name = ParameterName.shown(parameter)
        return QueryError(
            .badRequest, code: "unknown_parameter",
            "\(name) is no parameter; there are: \(offered)",
            parameter: name)
    }
}
