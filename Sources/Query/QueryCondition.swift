import Primitives
import SQLite

/// One `where`: which events count.
package struct QueryCondition: Hashable, Sendable {
    package enum Operation: String, Hashable, Sendable, CaseIterable {
        case eq, ne, `in`, lt, le, gt, ge, prefix, contains, exists
    }

    package let field: QueryField
    package let operation: Operation
    /// What the field is compared with, already typed. `eq`, `ne` and `in` hold every reading of
    /// their values: `200` is the number and the text, `true` the boolean and the text.
    package let operands: [SQLValue]
    /// `eq`, `ne`, `in`: the literal `null` is among the values; a field that is missing or null
    /// equals it. `exists`: asked for absence.
    package let matchesNull: Bool

    /// One request holds at most this many conditions.
    static let limit = 20
    static let listLimit = 100
    static let valueLimitBytes = 1024

    private static let grammar = QueryError.invalid(
        "where",
        "must be field:op:value with op one of "
            + Operation.allCases.map(\.rawValue).joined(separator: " "))

    /// Reads `field:op:value`; a value may hold colons. `exists` takes no value, `true` or `false`.
    static func parse(_ text: String, now: Int64) throws(QueryError) -> QueryCondition {
        let parts = text.parts(by: ":", most: 3)
        guard parts.count >= 2, let operation = Operation(rawValue: String(parts[1])) else {
            throw grammar
        }
        let field = try QueryField.parse(parts[0], for: "where")
        if operation == .exists { return try exists(field, parts.count == 3 ? parts[2] : "true") }
        guard parts.count == 3 else { throw grammar }
        let values = operation == .in ? parts[2].parts(by: ",") : [parts[2]]
        guard values.count <= listLimit else {
            throw .invalid("where", "must not list more than \(listLimit) values")
        }
        return try compare(field, operation, values.map(String.init), now)
    }

    private static func exists(_ field: QueryField, _ value: Substring) throws(QueryError)
        -> QueryCondition
    {
        guard value == "true" || value == "false" else {
            throw .invalid(
                "where", "must say field:exists, field:exists:true or field:exists:false")
        }
        return QueryCondition(
            field: field, operation: .exists, operands: [], matchesNull: value == "false")
    }

    private static func compare(
        _ field: QueryField, _ operation: Operation, _ values: [String], _ now: Int64
    ) throws(QueryError) -> QueryCondition {
        var operands: [SQLValue] = []
        var matchesNull = false
        for value in values {
            guard value.utf8.count <= valueLimitBytes, !value.utf8.contains(0) else {
                throw .invalid(
                    "where", "must have values of at most \(valueLimitBytes) bytes without U+0000")
            }
            if field.place == .time {
                operands.append(try moment(value, operation, now))
                continue
            }
            operands += readings(of: value, as: field, operation)
            if operation.isEquality, field.isOptional, value == "null" { matchesNull = true }
        }
        return QueryCondition(
            field: field, operation: operation, operands: operands, matchesNull: matchesNull)
    }

    private static func moment(_ value: String, _ operation: Operation, _ now: Int64)
        throws(QueryError) -> SQLValue
    {
        guard operation != .prefix, operation != .contains else {
            throw .invalid("where", "must not use prefix or contains with time")
        }
        guard let moment = QueryTime.parse(value, now: now) else {
            throw .invalid("where", "with time: the value " + QueryTime.rule)
        }
        return .integer(moment)
    }

    /// An ordering needs one reading: a number if the value is one, else text. Equality has all.
    private static func readings(
        of value: String, as field: QueryField, _ operation: Operation
    ) -> [SQLValue] {
        guard field.isData, operation != .prefix, operation != .contains else {
            return [.text(value)]
        }
        let number = JSONNumber.parse(value)
        guard operation.isEquality else { return [number ?? .text(value)] }
        var readings = [SQLValue.text(value)]
        if let number { readings.append(number) }
        if value == "true" { readings.append(TypedValue.true) }
        if value == "false" { readings.append(TypedValue.false) }
        return readings
    }
}

extension QueryCondition.Operation {
    var isEquality: Bool { self == .eq || self == .ne || self == .in }
}
