import Primitives
import SQLite
import TestSupport

@testable import Query

/// What a query means, told a second time as plainly as possible: loops over events in memory.
struct QueryModel {
    /// A JSON value in the order that answers are sorted in.
    enum Value: Hashable, Comparable {
        case null
        case integer(Int)
        case real(Double)
        case text(ExactText)
        case bool(Bool)
        /// Its text, without spaces.
        case json(ExactText)

        static func < (a: Value, b: Value) -> Bool {
            switch (a, b) {
            case (.integer(let a), .integer(let b)): return a < b
            case (.text(let a), .text(let b)): return a < b
            case (.bool(let a), .bool(let b)): return !a && b
            case (.json(let a), .json(let b)): return a < b
            case (.real(let a), .real(let b)): return a < b
            // Exactly, as SQLite does: a double between two integers is neither of them.
            case (.integer(let a), .real(let b)): return Int128(a) < Int128(b.rounded(.up))
            case (.real(let a), .integer(let b)): return Int128(a.rounded(.down)) < Int128(b)
            default: return a.rank < b.rank
            }
        }

        private var rank: Int {
            switch self {
            case .null: 0
            case .integer, .real: 1
            case .text: 2
            case .bool: 3
            case .json: 4
            }
        }

        var number: Double? {
            switch self {
            case .integer(let value): Double(value)
            case .real(let value): value
            default: nil
            }
        }
    }

    struct Event {
        var time: Int64
        var type: ExactText
        var subject: String?
        /// By path, as a query names it.
        var values: [ExactText: Value]
    }

    let events: [Event]

    func rows(_ plan: QueryPlan) -> [[Value]] {
        let request = plan.request
        let kept = events.filter { event in
            event.time >= plan.from && event.time < plan.to
                && (request.types.isEmpty || request.types.contains { ExactText($0) == event.type })
                && plan.conditions.allSatisfy { holds($0, event) }
        }
        var groups: [[Value]: [Event]] = [:]
        if request.keyCount == 0 { groups[[]] = [] }
        for event in kept { groups[key(event, plan), default: []].append(event) }
        var rows = groups.map { key, events in
            key + request.metrics.map { measure($0, events) }
        }
        if request.fill != nil { rows += missing(groups, plan) }
        return rows.sorted { precedes($0, $1, plan.request) }
    }

    private func missing(_ groups: [[Value]: [Event]], _ plan: QueryPlan) -> [[Value]] {
        let request = plan.request
        let keys = request.groups.isEmpty ? [[]] : Set(groups.keys.map { Array($0.dropFirst()) })
        var rows: [[Value]] = []
        for start in (try? plan.buckets?.starts(from: plan.from, to: plan.filledEnd)) ?? [] {
            for key in keys where groups[[time(start)] + key] == nil {
                rows.append(
                    [time(start)] + key
                        + request.metrics.map {
                            $0.isTime || request.fill == .null ? .null : .integer(0)
                        })
            }
        }
        return rows
    }

    private func time(_ milliseconds: Int64) -> Value {
        .text(ExactText(Timestamp.format(milliseconds)))
    }

    private func key(_ event: Event, _ plan: QueryPlan) -> [Value] {
        let bucket = plan.buckets.map { time($0.bucket(of: event.time).lowerBound) }
        return (bucket.map { [$0] } ?? []) + plan.request.groups.map { value($0, event) }
    }

    private func value(_ field: QueryField, _ event: Event) -> Value {
        switch field.place {
        case .time: time(event.time)
        case .type: .text(event.type)
        case .subject: event.subject.map { .text(ExactText($0)) } ?? .null
        default: event.values[ExactText(field.name)] ?? .null
        }
    }

    private func precedes(_ a: [Value], _ b: [Value], _ request: QueryRequest) -> Bool {
        let order =
            request.order
            + (0..<request.keyCount).map { QueryOrder(column: $0, isDescending: false) }
        for column in order {
            let (a, b) = (a[column.column], b[column.column])
            if a < b { return !column.isDescending }
            if b < a { return column.isDescending }
        }
        return false
    }

    private func measure(_ metric: QueryMetric, _ events: [Event]) -> Value {
        guard case .of(let function, let field) = metric.measure else {
            return .integer(events.count)
        }
        let values = events.map { value(field, $0) }.filter { $0 != .null }
        let numbers = values.compactMap(\.number)
        let total = numbers.reduce(0, +)
        let texts = values.filter { $0.number == nil && $0 < .bool(false) }
        // Numbers count where there are any.
        let ordered = numbers.isEmpty ? texts : values.filter { $0.number != nil }
        switch function {
        case .uniq: return .integer(Set(values).count)
        case .min: return ordered.min() ?? .null
        case .max: return ordered.max() ?? .null
        case .avg: return numbers.isEmpty ? .null : .real(total / Double(numbers.count))
        case .sum: return numbers.isEmpty ? .null : wholeSum(values) ?? .real(total)
        case .p50, .p90, .p95, .p99:
            let sorted = values.filter { $0.number != nil }.sorted()
            let share = Double(function.percent ?? 0) * Double(sorted.count) / 100
            return sorted.isEmpty ? .null : sorted[Int(share.rounded(.up)) - 1]
        }
    }

    /// The sum of integers, as a real where 64 bits cannot hold it; nil if a real is among them.
    private func wholeSum(_ values: [Value]) -> Value? {
        var sum: Int128 = 0
        for value in values {
            if case .real = value { return nil }
            if case .integer(let number) = value { sum += Int128(number) }
        }
        return Int(exactly: sum).map { .integer($0) } ?? .real(Double(sum))
    }

    // MARK: Conditions

    private func holds(_ condition: QueryCondition, _ event: Event) -> Bool {
        let value = value(condition.field, event)
        switch condition.operation {
        case .exists: return (value == .null) == condition.matchesNull
        case .eq, .in: return isAmong(condition, value)
        case .ne: return !isAmong(condition, value)
        case .prefix: return bytes(value)?.starts(with: text(condition).utf8) == true
        case .contains:
            return text(condition).isEmpty
                ? bytes(value) != nil : bytes(value)?.contains(Array(text(condition).utf8)) == true
        case .lt, .le, .gt, .ge: return isOrdered(condition, value)
        }
    }

    private func isAmong(_ condition: QueryCondition, _ value: Value) -> Bool {
        if value == .null { return condition.matchesNull }
        return condition.operands.contains { operand in
            switch (operand, value) {
            case (.integer(let a), .integer(let b)): a == Int64(b)
            case (.integer(let a), .real(let b)): Double(a) == b
            case (.real(let a), _): a == value.number
            case (.text(let a), .text(let b)): ExactText(a) == b
            case (.blob(let a), .bool(let b)): a == [b ? 1 : 0]
            default: false
            }
        }
    }

    private func isOrdered(_ condition: QueryCondition, _ value: Value) -> Bool {
        let operand: Value
        switch (condition.operands[0], value) {
        case (.integer(let number), .integer), (.integer(let number), .real):
            operand = .integer(Int(number))
        case (.real(let number), .integer), (.real(let number), .real): operand = .real(number)
        case (.text(let text), .text): operand = .text(ExactText(text))
        default: return false
        }
        switch condition.operation {
        case .lt: return value < operand
        case .le: return !(operand < value)
        case .gt: return operand < value
        default: return !(value < operand)
        }
    }

    private func bytes(_ value: Value) -> [UInt8]? {
        if case .text(let text) = value { Array(text.text.utf8) } else { nil }
    }
    private func text(_ condition: QueryCondition) -> String {
        if case .text(let text) = condition.operands[0] { text } else { "" }
    }
}

extension QueryModel.Value {
    /// As an answer says it.
    init(_ value: JSONTree) {
        switch value {
        case .null: self = .null
        case .integer(let value): self = .integer(value)
        case .real(let value): self = .real(value)
        case .string(let text): self = .text(ExactText(text))
        case .bool(let value): self = .bool(value)
        case .array, .object: self = .json(ExactText(value.compact))
        }
    }

    /// As an event says it; nil for what it leaves out.
    var json: String {
        switch self {
        case .null: "null"
        case .integer(let value): "\(value)"
        case .real(let value): "\(value)"
        case .text(let text): "\"" + text.text.unicodeScalars.map(escaped).joined() + "\""
        case .bool(let value): "\(value)"
        case .json(let text): text.text
        }
    }

    private func escaped(_ scalar: Unicode.Scalar) -> String {
        switch scalar {
        case "\u{0}": "\\u0000"
        case "\u{1}": "\\u0001"
        case "\\": "\\\\"
        default: String(scalar)
        }
    }
}

extension JSONTree {
    /// Without spaces; the model's objects have one member, so order does not matter.
    var compact: String {
        switch self {
        case .null: "null"
        case .integer(let value): "\(value)"
        case .real(let value): "\(value)"
        case .bool(let value): "\(value)"
        case .string(let text): "\"\(text)\""
        case .array(let elements): "[" + elements.map(\.compact).joined(separator: ",") + "]"
        case .object(let members):
            "{" + members.map { "\"\($0)\":\($1.compact)" }.joined(separator: ",") + "}"
        }
    }
}
