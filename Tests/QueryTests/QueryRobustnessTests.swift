import Primitives
import SQLite
import TestSupport
import Testing

@testable import Query

@Suite(.blocking) struct QueryRobustnessTests {
    /// Pieces that mean something to the grammar, to SQL, to JSON paths or to nobody.
    private static let pieces = [
        "count", "sum:", "min:", "ms", "time", "type", ".", ":", ",", "-", "'", "\"", "\\", "\u{0}",
        "\n", "%", "[", "]", "$", "?1", "(SELECT 1)", "--", "/*", "0", "9", "99999999999999999999",
        "-24h", "now", "2024-06-01", "T00:00:00Z", "eq", "in", "exists", "null", "true", "1e5",
        "日本",
        "\u{202E}", "Europe/Berlin", "1d", "1h", "1m", " ", String(repeating: "a", count: 70),
    ]
    private static let names = [
        "metric", "event", "from", "to", "interval", "tz", "group_by", "where", "where", "order",
        "limit", "cursor", "fill", "cache", "max_stale", "explain", "format", "shape",
        "rollup", "other",
    ]

    @Test func `answers or refuses whatever it is sent`() throws {
        let seed = UInt64.random(in: .min ... .max)
        print("QueryRobustnessTests seed \(seed)")
        var random = SeededGenerator(seed: seed)
        let file = try EventFile(
            (0..<20).map { TestEvent(time: EventFile.now - $0, data: "{\"ms\":\($0),\"0\":[1]}") })
        var answers = 0
        for _ in 0..<4000 {
            var pairs: [Parameter] = []
            if random.chance(90) { pairs.append(parameter("metric", "count")) }
            for _ in 0..<Int.random(in: 0...3, using: &random) {
                let value = (0..<Int.random(in: 0...4, using: &random)).map { _ in
                    random.pick(Self.pieces)
                }
                pairs.append(parameter(random.pick(Self.names), value.joined()))
            }
            do throws(QueryError) {
                let request = try QueryRequest.parse(pairs)
                let result = try QueryBackend.scan.run(
                    QueryPlan(request, now: EventFile.now), on: file.reader,
                    deadline: .after(.seconds(10)))
                answers += 1
                if request.format == .json || request.explain {
                    #expect(throws: Never.self, "\(pairs)") {
                        try JSONTree.parse(result.body.text)
                    }
                }
            } catch {
                #expect(error.kind != .unavailable && error.kind != .timeout, "\(pairs) \(error)")
            }
        }
        #expect(answers > 100)
    }

    @Test(arguments: ["", "&fill=0"])
    func `takes the days of two centuries with all their clock changes`(fill: String) throws {
        let file = try EventFile([
            TestEvent(time: try at("1945-05-24T12:00:00Z"), data: "{\"ms\":1}"),
            TestEvent(time: try at("2099-07-01T22:30:00Z"), data: "{\"ms\":2}"),
        ])
        let rows = try file.rows(
            "metric=sum:ms&interval=1d&tz=Europe/Berlin&from=1900-01-01&to=2100-01-01"
                + "&order=-sum:ms&limit=2" + fill)
        #expect(
            rows == [
                [.string("2099-07-01T22:00:00.000Z"), .integer(2)],
                // The midnight before Berlin's double summer time, which began two hours later.
                [.string("1945-05-23T22:00:00.000Z"), .integer(1)],
            ])
    }

    @Test func `pages through as many empty buckets as a range may have`() throws {
        let file = try EventFile([TestEvent(time: try at("2024-05-01T00:00:30Z"))])
        for metric in ["count", "count,uniq:k"] {
            let query =
                "metric=\(metric)&interval=1m&from=2024-05-01&to=2024-07-09&fill=0&limit=10000"
            let first = try file.result(query)
            #expect(first.rowCount == 10_000)
            let next = try #require(first.next)
            let rows = try file.rows(query + "&cursor=\(next)")
            #expect(rows.first?[0] == .string("2024-05-07T22:40:00.000Z"))
        }
    }

    @Test func `holds as many conditions and values as the grammar allows`() throws {
        let file = try EventFile([TestEvent(time: EventFile.now - 1, data: "{\"v\":99}")])
        let list = (0..<100).map { "\($0)" }.joined(separator: ",")
        let conditions = (0..<20).map { _ in "&where=v:in:\(list)" }.joined()
        let types = (0..<99).map { "t\($0)" }.joined(separator: ",") + ",page.view"
        #expect(try file.rows("metric=count&event=\(types)\(conditions)") == [[.integer(1)]])
        let error = try #require(throws: QueryError.self) {
            try file.result("metric=count\(conditions)&where=v:exists")
        }
        #expect(error.parameter == "where")
        #expect(throws: QueryError.self) { try file.result("metric=count&where=v:in:\(list),100") }
    }
}
