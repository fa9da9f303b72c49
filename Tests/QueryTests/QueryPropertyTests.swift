import Primitives
import TestSupport
import Testing

@testable import Query

@Suite struct QueryPropertyTests {
    private static let fields = ["v", "cart.total", "items.0.sku", "k"]

    /// The days around a change of clocks, so that days of 23 and of 25 hours occur.
    private static let starts: [Int64] = [1_711_700_000_000, 1_729_800_000_000, -3_600_000]

    private func value(_ random: inout SeededGenerator) -> QueryModel.Value? {
        switch Int.random(in: 0..<12, using: &random) {
        case 0: nil
        case 1: .null
        case 2: .bool(random.chance(50))
        case 3: .json(random.pick(["[1,\"x\"]", "{\"a\":true}", "[]"]))
        case 4, 5: .text(random.pick(["", "a", "ab", "a%", "7", "true", "é"]))
        case 6: .real(Double(Int.random(in: -3...3, using: &random)) + 0.5)
        default: .integer(Int.random(in: -3...9, using: &random))
        }
    }

    private func event(_ start: Int64, _ random: inout SeededGenerator) -> (
        QueryModel.Event, TestEvent
    ) {
        var values: [String: QueryModel.Value] = [:]
        for field in Self.fields { values[field] = value(&random) }
        var members: [String] = []
        if let value = values["v"] { members.append("\"v\": \(value.json)") }
        if let value = values["k"] { members.append("\"k\":\(value.json)") }
        if let value = values["cart.total"] { members.append("\"cart\":{\"total\":\(value.json)}") }
        if let value = values["items.0.sku"] {
            members.append("\"items\":[{\"sku\":\(value.json)},1]")
        }
        let model = QueryModel.Event(
            time: start + Int64.random(in: 0..<4 * 86_400_000, using: &random),
            type: random.pick(["a", "b", "rare"]), subject: random.pick([nil, "ann", "bob", "1"]),
            values: values)
        let stored = TestEvent(
            time: model.time, type: model.type, subject: model.subject,
            data: members.isEmpty ? nil : "{" + members.joined(separator: ",") + "}")
        return (model, stored)
    }

    private func query(_ start: Int64, _ random: inout SeededGenerator) -> [(
        name: String, value: String
    )] {
        let fields = Self.fields + ["type", "subject"]
        let metrics =
            ["count"]
            + Self.fields.flatMap { field in
                ["sum", "avg", "min", "max", "uniq"].map { "\($0):\(field)" }
            } + ["uniq:subject", "max:type", "min:time", "max:subject"]
        var chosen = random.some(metrics, 5)
        if chosen.isEmpty { chosen = ["count"] }
        let from = start + Int64.random(in: 0..<86_400_000, using: &random)
        let to = from + Int64.random(in: 1...3 * 86_400_000, using: &random)
        var query = [
            ("metric", chosen.joined(separator: ",")), ("from", Timestamp.format(from)),
            ("to", Timestamp.format(to)),
        ]
        let types = random.some(["a", "b", "rare", "none"], 3)
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
        query.append(("interval", random.pick(["15m", "1h", "1d", "1d", "1d"])))
        if random.chance(50) {
            query.append(("tz", random.pick(["Europe/Berlin", "America/New_York", "UTC"])))
        }
        if random.chance(40) { query.append(("fill", random.pick(["0", "null"]))) }
        return ["time"] + groups + metrics
    }

    private func condition(_ fields: [String], _ random: inout SeededGenerator) -> String {
        let value = random.pick(["3", "2.5", "a", "", "7", "true", "null", "ann", "é", "-1"])
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
        let request = try QueryRequest.parse(query, now: EventFile.now)
        let expected = model.rows(request)
        let limit = random.pick([1000, 10_000, max(1, expected.count / 3)])
        var rows: [[QueryModel.Value]] = []
        var cursor: String?
        repeat {
            let page = try QueryRequest.parse(
                query + [("limit", "\(limit)")] + (cursor.map { [("cursor", $0)] } ?? []),
                now: EventFile.now)
            let result = try QueryExecutor.run(page, on: file.reader, deadline: .never)
            let answer = try JSONTree.parse(result.body.text)
            rows += answer["rows"]?.elements.map { $0.elements.map(QueryModel.Value.init) } ?? []
            cursor = result.next
            try #require(result.rowCount == limit || cursor == nil)
        } while cursor != nil
        #expect(rows == expected, "\(query)")
    }
}
