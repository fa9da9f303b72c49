import Primitives
import TestSupport
import Testing

@testable import Query

@Suite(.blocking) struct QueryPropertyTests {
    /// "é" composed and decomposed: one name to whoever reads it, two to a machine.
    private static let fields = [
        "v", "cart.total", "items.0.sku", "k", "big", "caf\u{E9}", "cafe\u{301}", "codes.1",
        "7.0.1",
    ]
    private static let texts: [ExactText] = [
        "", "a", "ab", "a%", "7", "true", "\u{E9}", "e\u{301}", "a\u{0}", "a\u{0}b", "\u{0}",
        "\\u0000", "\\\u{0}\u{1}b", "a\u{1}a",
    ]
    private static let types: [ExactText] = ["a", "b", "rare", "\u{E9}", "e\u{301}"]

    /// The days around a change of clocks, so that days of 23 and of 25 hours occur.
    private static let starts: [Int64] = [1_711_700_000_000, 1_729_800_000_000, -3_600_000]

    private func value(_ random: inout SeededGenerator) -> QueryModel.Value? {
        switch Int.random(in: 0..<12, using: &random) {
        case 0: nil
        case 1: .null
        case 2: .bool(random.chance(50))
        case 3: .json(random.pick(["[1,\"x\"]", "{\"a\":true}", "[]"]))
        case 4, 5: .text(random.pick(Self.texts))
        case 6: .real(Double(Int.random(in: -3...3, using: &random)) + 0.5)
        default: .integer(Int.random(in: -3...9, using: &random))
        }
    }

    private func event(_ start: Int64, _ random: inout SeededGenerator) -> (
        QueryModel.Event, TestEvent
    ) {
        var values: [ExactText: QueryModel.Value] = [:]
        for field in Self.fields where field != "big" {
            values[ExactText(field)] = value(&random)
        }
        if random.chance(70) {
            values["big"] = .integer(random.pick([.max, .min, 1, -1, 4, .max / 2]))
        }
        let members = Self.fields.compactMap { field in
            values[ExactText(field)].map { member(field, $0.json, &random) }
        }
        let model = QueryModel.Event(
            time: start + Int64.random(in: 0..<4 * 86_400_000, using: &random),
            type: random.pick(Self.types), subject: random.pick([nil, "ann", "bob", "1"]),
            values: values)
        let stored = TestEvent(
            time: model.time, type: model.type.text, subject: model.subject,
            data: members.isEmpty ? nil : "{" + members.joined(separator: ",") + "}")
        return (model, stored)
    }

    /// The member that has `value` at `field`. A number is a place in an array or a name.
    private func member(
        _ field: String, _ value: String, _ random: inout SeededGenerator
    ) -> String {
        switch field {
        case "cart.total": return "\"cart\":{\"total\":\(value)}"
        case "items.0.sku": return "\"items\":[{\"sku\":\(value)},1]"
        case "codes.1": return "\"codes\":" + container(1, value, &random)
        case "7.0.1": return "\"7\":" + container(0, container(1, value, &random), &random)
        default: return "\"\(field)\": \(value)"
        }
    }

    private func container(
        _ index: Int, _ value: String, _ random: inout SeededGenerator
    ) -> String {
        random.chance(50)
            ? "{\"x\":0,\"\(index)\":\(value)}"
            : "[" + String(repeating: "null,", count: index) + value + "]"
    }

    private func query(_ start: Int64, _ random: inout SeededGenerator) -> [(
        name: String, value: String
    )] {
        let fields = Self.fields + ["type", "subject"]
        let metrics =
            ["count"]
            + Self.fields.flatMap { field in
                // The mean of what doubles round depends on the order of the rows.
                ["sum", "min", "max", "uniq", "p50", "p95"].map { "\($0):\(field)" }
                    + (field == "big" ? [] : ["avg:\(field)"])
            } + ["uniq:subject", "max:type", "min:time", "max:subject"]
        var chosen = random.some(metrics, 5)
        if chosen.isEmpty { chosen = ["count"] }
        let from = start + Int64.random(in: 0..<86_400_000, using: &random)
        let to = from + Int64.random(in: 1...3 * 86_400_000, using: &random)
        var query = [
            ("metric", chosen.joined(separator: ",")), ("from", Timestamp.format(from)),
            ("to", Timestamp.format(to)),
        ]
        let types = random.some(Self.types.map(\.text) + ["none"], 3)
        if !types.isEmpty { query.append(("event", types.joined(separator: ","))) }
        let groups = random.some(fields, 2)
        if !groups.isEmpty { query.append(("group_by", groups.joined(separator: ","))) }
        for _ in 0..<Int.random(in: 0...2, using: &random) {
            query.append(("where", condition(fields, &random)))
        }
        let columns = intervals(&query, groups, chosen, &random)
        let order = random.some(columns, 2).map { random.chance(50) ? "-" + $0 : $0 }
        if !order.isEmpty { query.append(("order", order.joined(separator: ","))) }
        return query
    }

    private func intervals(
        _ query: inout [(String, String)], _ groups: [String], _ metrics: [String],
        _ random: inout SeededGenerator
    ) -> [String] {
        guard random.chance(60) else { return groups + metrics }
        query.append(("interval", random.pick(["15m", "1h", "6h", "1d", "1d", "1d", "1w", "1mo"])))
        if random.chance(50) {
            query.append(("tz", random.pick(["Europe/Berlin", "America/New_York", "UTC"])))
        }
        if random.chance(40) { query.append(("fill", random.pick(["0", "null"]))) }
        return ["time"] + groups + metrics
    }

    private func condition(_ fields: [String], _ random: inout SeededGenerator) -> String {
        let value = random.pick([
            "3", "2.5", "a", "", "7", "true", "null", "ann", "\u{E9}", "e\u{301}", "e", "-1",
            "9223372036854775807", "-9223372036854775808",
        ])
        let operation = random.pick(QueryCondition.Operation.allCases)
        switch operation {
        case .exists: return random.pick(fields) + ":exists" + random.pick(["", ":true", ":false"])
        case .in: return "\(random.pick(fields)):in:\(value),\(random.pick(["1", "a%", "b"]))"
        default: return "\(random.pick(fields)):\(operation.rawValue):\(value)"
        }
    }

    @Test func `answers as the model does, page by page`() throws {
        let seed = UInt64.random(in: .min ... .max)
        print("QueryPropertyTests seed \(seed)")
        var random = SeededGenerator(seed: seed)
        for _ in 0..<12 {
            let start = random.pick(Self.starts)
            let events = (0..<Int.random(in: 0...120, using: &random)).map { _ in
                event(start, &random)
            }
            let file = try EventFile(events.map(\.1))
            let model = QueryModel(events: events.map(\.0))
            for _ in 0..<40 { try check(query(start, &random), file, model, &random) }
        }
    }

    private func check(
        _ query: [(name: String, value: String)], _ file: EventFile, _ model: QueryModel,
        _ random: inout SeededGenerator
    ) throws {
        let given = query.map { parameter($0.name, $0.value) }
        let expected = model.rows(try QueryPlan(QueryRequest.parse(given), now: EventFile.now))
        let limit = random.pick([1000, 10_000, max(1, expected.count / 3)])
        var rows: [[QueryModel.Value]] = []
        var cursor: String?
        repeat {
            let result = try file.result(
                QueryRequest.parse(
                    given + [parameter("limit", "\(limit)")]
                        + (cursor.map { [parameter("cursor", $0)] } ?? [])))
            let answer = try JSONTree.parse(result.body.text)
            rows += answer["rows"]?.elements.map { $0.elements.map(QueryModel.Value.init) } ?? []
            cursor = result.next
            try #require(result.rowCount == limit || cursor == nil)
        } while cursor != nil
        #expect(rows == expected, "\(query)")
    }
}
