import Primitives
import SQLite

/// A parameter of a named query, as its file declares it.
package struct NamedParameter: Hashable, Sendable {
    package enum Kind: String, Hashable, Sendable, CaseIterable {
        case integer, real, text, time, boolean
    }

    /// What a value may be, beside its kind.
    package enum Bounds: Hashable, Sendable {
        case any
        /// Both ends belong to it.
        case integers(ClosedRange<Int64>)
        case reals(ClosedRange<Double>)
        /// One of these texts.
        case choices([String])
    }

    package let name: String
    package let kind: Kind
    package let bounds: Bounds
    /// As it is written in the file; of the kind and within the bounds.
    package let standard: String?
    package let isOptional: Bool

    /// A request must have it.
    package var isRequired: Bool { standard == nil && !isOptional }

    private static let textLimitBytes = 1024

    /// Reads a value.
    /// - Throws: a 400 that names the parameter and says what it may be.
    func value(_ text: String) throws(QueryError) -> NamedValue {
        guard let value = read(text), isWithin(value) else { throw .invalid(name, rule) }
        return value
    }

    private func read(_ text: String) -> NamedValue? {
        switch kind {
        case .integer:
            guard let number = JSONNumber.parse(text) else { return nil }
            switch number {
            case .integer: return .value(number)
            // A whole number however it is written (JSON Schema 2020-12).
            case .real(let real): return Int64(exactly: real).map { .value(.integer($0)) }
            default: return nil
            }
        case .real:
            switch JSONNumber.parse(text) {
            case .integer(let number): return .value(.real(Double(number)))
            case .real(let number): return .value(.real(number))
            default: return nil
            }
        case .text:
            let isText =
                text.utf8.count <= NamedParameter.textLimitBytes && !text.utf8.contains(0)
            return isText ? .value(.text(text)) : nil
        case .time: return QueryMoment(text).map { .moment($0) }
        case .boolean:
            switch text {
            case "true", "1": return .value(.integer(1))
            case "false", "0": return .value(.integer(0))
            default: return nil
            }
        }
    }

    private func isWithin(_ value: NamedValue) -> Bool {
        switch (bounds, value) {
        case (.integers(let range), .value(.integer(let number))): range.contains(number)
        case (.reals(let range), .value(.real(let number))): range.contains(number)
        case (.choices(let choices), .value(.text(let text))):
            choices.contains { ExactText($0) == ExactText(text) }
        case (.any, _): true
        default: false
        }
    }

    /// What a value may be, to follow the parameter's name.
    private var rule: String {
        switch (kind, bounds) {
        case (_, .integers(let range)):
            "must be a whole number from \(range.lowerBound) to \(range.upperBound)"
        case (_, .reals(let range)):
            "must be a number from \(range.lowerBound) to \(range.upperBound)"
        case (_, .choices(let choices)): "must be one of: \(choices.joined(separator: " "))"
        case (.integer, .any): "must be a whole number of 64 bits"
        case (.real, .any): "must be a number"
        case (.text, .any): "must be at most \(NamedParameter.textLimitBytes) bytes without U+0000"
        case (.time, .any): QueryMoment.rule
        case (.boolean, .any): "must be true or false"
        }
    }
}

/// A value of a parameter. Moments are relative until the query is run.
enum NamedValue: Hashable, Sendable {
    case value(SQLValue)
    case moment(QueryMoment)

    /// - Parameter now: milliseconds since 1970.
    /// - Returns: nil for a moment beyond the years 0000 to 9999.
    func resolved(now: Int64) -> SQLValue? {
        switch self {
        case .value(let value): value
        case .moment(.ago(let milliseconds)):
            Timestamp.range.contains(now - milliseconds) ? .integer(now - milliseconds) : nil
        case .moment(let moment): moment.resolved(now: now, zone: .utc).map { .integer($0) }
        }
    }

    /// What two values share exactly if they are the same.
    var canonical: String {
        switch self {
        case .value(.integer(let number)): "i\(number)"
        case .value(.real(let number)): "r\(number)"
        case .value(.text(let text)): "t" + text
        case .value(.null), .value(.blob): "n"
        case .moment(let moment): "m" + moment.canonical(now: nil)
        }
    }
}
