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
    /// their values: `200` is the number and the text, `true` the boolean and the text. Empty for
    /// `exists`, and for `time` until the plan has resolved `moments`.
    package private(set) var operands: [SQLValue]
    /// What `time` is compared with.
    package let moments: [QueryMoment]
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
    /// - Parameter elements: the condition, parted at the commas that part values of `in`.
    static func parse(_ elements: [String]) throws(QueryError) -> QueryCondition {
        let text = elements.joined(separator: ",")
        guard let (name, rest) = QueryField.splitAtColon(text) else { throw grammar }
        let parts = rest.parts(by: ":", most: 2)
        guard let operation = Operation(rawValue: String(parts[0])) else { throw grammar }
        let field = try QueryField.parse(name, for: "where")
        if operation == .exists { return try exists(field, parts.count == 2 ? parts[1] : "true") }
        guard parts.count == 2 else { throw grammar }
        guard operation == .in else { return try compare(field, operation, [String(parts[1])]) }
        let start = text.utf8.count - parts[1].utf8.count
        let values = Self.values(elements, from: start)
        guard values.count <= listLimit else {
            throw .invalid("where", "must not list more than \(listLimit) values")
        }
        return try compare(field, operation, values)
    }

    /// What of `elements`, joined by commas, lies at or behind the byte `start`.
    private static func values(_ elements: [String], from start: Int) -> [String] {
        var values: [String] = []
        var offset = 0
        for element in elements {
            let end = offset + element.utf8.count
            if end >= start {
                values.append(String(Substring(element.utf8.dropFirst(max(0, start - offset)))))
            }
            offset = end + 1
        }
        return values
    }

    private static func exists(_ field: QueryField, _ value: Substring) throws(QueryError)
        -> QueryCondition
    {
        guard value == "true" || value == "false" else {
            throw .invalid(
                "where", "must say field:exists, field:exists:true or field:exists:false")
        }
        return QueryCondition(
            field: field, operation: .exists, operands: [], moments: [],
            matchesNull: value == "false")
    }

    private static func compare(
        _ field: QueryField, _ operation: Operation, _ values: [String]
    ) throws(QueryError) -> QueryCondition {
        var operands: [SQLValue] = []
        var moments: [QueryMoment] = []
        var matchesNull = false
        for value in values {
            guard value.utf8.count <= valueLimitBytes, !value.utf8.contains(0) else {
                throw .invalid(
                    "where", "must have values of at most \(valueLimitBytes) bytes without U+0000")
            }
            if field.place == .time {
                moments.append(try moment(value, operation))
                continue
            }
            operands += readings(of: value, as: field, operation)
            if operation.isEquality, field.isOptional, value == "null" { matchesNull = true }
        }
        return QueryCondition(
            field: field, operation: operation, operands: operands, moments: moments,
            matchesNull: matchesNull)
    }

    private static func moment(_ value: String, _ operation: Operation) throws(QueryError)
        -> QueryMoment
    {
        guard operation != .prefix, operation != .contains else {
            throw .invalid("where", "must not use prefix or contains with time")
        }
        guard let moment = QueryMoment(value) else { throw outOfTime }
        return moment
    }

    private static let outOfTime = QueryError.invalid(
        "where", "with time: the value " + QueryMoment.rule)

    /// An ordering needs one reading: a number if the value is one, else text. Equality has all.
    private static func readings(
        of value: String, as field: QueryField, _ operation: Operation
    ) -> [SQLValue] {
        guard field.isJSON, operation != .prefix, operation != .contains else {
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

    /// The condition with its moments as operands.
    func resolved(now: Int64, zone: TimeZoneRules) throws(QueryError) -> QueryCondition {
        guard !moments.isEmpty else { return self }
        var condition = self
        condition.operands = []
        for moment in moments {
            guard let time = moment.resolved(now: now, zone: zone) else { throw Self.outOfTime }
            condition.operands.append(.integer(time))
        }
        return condition
    }
}

extension QueryCondition.Operation {
    var isEquality: Bool { self == .eq || self == .ne || self == .in }
}
