import Primitives
import SQLite
import Testing
import TestSupport

@testable import Query

private let day = "from=2024-06-01&to=2024-06-02"
private let noon: Int64 = 1_717_243_200_000

@Suite(.blocking) struct QueryOutputTests {
    func countries() throws -> EventFile {
        try EventFile([
            TestEvent(time: noon, data: "{\"country\":\"DE\",\"ok\":true,\"tags\":[1]}"),
            TestEvent(time: noon + 1, data: "{\"country\":\"DE\",\"ok\":true,\"tags\":[1]}"),
            TestEvent(time: noon + 2, data: "{\"country\":\"a,\\\"b\\\"\\r\\n\",\"tags\":{}}"),
            TestEvent(time: noon + 3, data: "{\"country\":\"\",\"ok\":false}"),
        ])
    }

    @Test func `writes JSON as the contract has it`() throws {
        let file = try countries()
        let result = try file.result(
            "metric=count,avg:ms&interval=1h&group_by=country&where=country:eq:DE&\(day)")
        #expect(result.format == .json)
        #expect(
            result.body.text == """
                {"columns":[{"name":"time","type":"time"},{"name":"country","type":"text"},\
                {"name":"count","type":"integer"},{"name":"avg:ms","type":"real"}],\
                "rows":[["2024-06-01T12:00:00.000Z","DE",2,null]],\
                "row_count":1,"truncated":false,"next":null}
                """)
    }

    @Test func `writes objects when asked`() throws {
        let answer = try countries().answer("metric=count&group_by=ok&shape=objects&\(day)")
        #expect(
            answer["rows"]?.elements == [
                .object(["ok": .null, "count": .integer(1)]),
                .object(["ok": .bool(false), "count": .integer(1)]),
                .object(["ok": .bool(true), "count": .integer(2)]),
            ])
        #expect(answer["columns"]?.elements[0]["type"] == .string("boolean"))
    }

    @Test func `writes a line an object as NDJSON`() throws {
        let result = try countries().result("metric=count&group_by=country&format=ndjson&\(day)")
        #expect(result.format == .ndjson)
        let lines = result.body.text.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.count == 4 && lines[3].isEmpty)
        #expect(
            try lines.dropLast().map { try JSONTree.parse(String($0)) } == [
                .object(["country": .string(""), "count": .integer(1)]),
                .object(["country": .string("DE"), "count": .integer(2)]),
                .object(["country": .string("a,\"b\"\r\n"), "count": .integer(1)]),
            ])
    }

    @Test func `writes CSV that quotes what it must and tells null from empty`() throws {
        let file = try countries()
        let result = try file.result(
            "metric=count,avg:ms&group_by=country,ok,tags&format=csv&interval=1d&\(day)")
        #expect(result.format == .csv)
        #expect(
            result.body.text
                == [
                    "time,country,ok,tags,count,avg:ms",
                    "2024-06-01T00:00:00.000Z,\"\",false,,1,",
                    "2024-06-01T00:00:00.000Z,DE,true,[1],2,",
                    "2024-06-01T00:00:00.000Z,\"a,\"\"b\"\"\r\n\",,{},1,", "",
                ].joined(separator: "\r\n"))
        #expect(result.columns.map(\.type) == [.time, .text, .boolean, .json, .integer, .real])
    }

    @Test(arguments: [true, false])
    func `types columns without a value by what could stand there`(hasRows: Bool) throws {
        let file = try EventFile(
            hasRows ? [TestEvent(time: noon, id: "1", subject: "s", data: #"{"v":"x"}"#)] : [])
        let attributes = "type,source,subject,id"
        let keys = try file.result(
            "metric=count,uniq:v,sum:ms,avg:ms,min:ms,max:time,min:subject&interval=1h"
                + "&group_by=\(attributes)&\(day)")
        #expect(keys.rowCount == (hasRows ? 1 : 0))
        #expect(
            keys.columns.map(\.type) == [
                .time, .text, .text, .text, .text, .integer, .integer, .any, .real, .any, .time,
                .text,
            ])
        let more = try file.result("metric=count&group_by=time,nothing&\(day)")
        #expect(more.columns.map(\.type) == [.time, .any, .integer])
        #expect(more.body.text.contains(#"{"name":"time","type":"time"}"#))
        // One row of nothing.
        let whole = try EventFile().result("metric=count,avg:ms,max:time,sum:ms&\(day)")
        #expect(whole.rowCount == 1)
        #expect(whole.columns.map(\.type) == [.integer, .real, .time, .any])
    }

    @Test func `tells the plan when asked to explain`() throws {
        let file = try countries()
        let plan = try file.answer(
            "metric=count&event=page.view&\(day)&explain=1&format=csv")
        #expect(plan["source"] == .string("raw"))
        #expect(plan["sql"]?.string?.hasPrefix("SELECT") == true)
        #expect(plan["bindings"] == .integer(4))
        let steps = plan["plan"]?.elements.compactMap(\.string) ?? []
        #expect(steps.contains { $0.contains("USING COVERING INDEX event_time") })
        #expect(plan["cache_key"]?.string?.utf8.count == 32)
    }

    @Test func `tells the generations that an answer would be computed from`() throws {
        let file = try countries()
        let query = "metric=count&event=page.view,other&\(day)&explain=1"
        #expect(try file.answer(query)["generations"] == .integer(4))
        try file.add([
            TestEvent(time: noon), TestEvent(time: noon, type: "third"),
            TestEvent(time: noon + 86_400_000),
        ])
        #expect(try file.answer(query)["generations"] == .integer(5))
        #expect(try file.answer("metric=count&\(day)&explain=1")["generations"] == .integer(6))
        #expect(
            try file.answer("metric=count&event=none&\(day)&explain=1")["generations"]
                == .integer(0))
    }

    @Test(arguments: [
        ("metric=count", "USING COVERING INDEX event_time"),
        ("metric=count&event=page.view,b", "USING COVERING INDEX event_time"),
        ("metric=count&group_by=type&interval=1h", "USING COVERING INDEX event_time"),
        // Three of three thousand rows, far apart.
        ("metric=sum:ms&from=2024-06-01&to=2024-06-02", "USING INDEX event_time"),
        // Most of them, and some that were stored one after the other.
        ("metric=sum:ms&from=2024-05-01&to=2024-07-01", "USING INTEGER PRIMARY KEY (rowid>?"),
        ("metric=sum:ms&from=2024-06-10&to=2024-06-11", "USING INTEGER PRIMARY KEY (rowid>?"),
    ])
    func `reads the events of a range by the way that is shortest`(
        query: String, step: String
    ) throws {
        let other = try at("2024-06-10T00:00:00Z")
        let file = try EventFile(
            (0..<3000).map { index in
                TestEvent(time: index % 1000 == 0 ? noon : other + Int64(index) * 100_000)
            })
        let range = query.contains("from") ? "" : "&\(day)"
        let plan = try file.answer("\(query)\(range)&explain=1")["plan"]?.elements ?? []
        let steps = plan.compactMap(\.string)
        #expect(steps.contains { $0.contains(step) }, "\(steps)")
    }

    @Test(arguments: ["json", "csv", "ndjson"], [1, 3, 7, 100])
    func `pages over every row exactly once`(format: String, limit: Int) throws {
        let file = try EventFile(
            (0..<40).map { TestEvent(time: noon + $0, data: "{\"k\":\($0 % 20)}") })
        let query = "metric=count&group_by=k&order=-count&format=\(format)&limit=\(limit)&\(day)"
        var bodies: [String] = []
        var cursor: String?
        var rowCount = 0
        repeat {
            let page = try file.result(query + (cursor.map { "&cursor=\($0)" } ?? ""))
            #expect(page.rowCount <= limit && page.isTruncated == (page.next != nil))
            rowCount += page.rowCount
            bodies.append(page.body.text)
            cursor = page.next
        } while cursor != nil && bodies.count < 50
        #expect(rowCount == 20)
        #expect(bodies.count == (20 + limit - 1) / limit)
        #expect(Set(bodies).count == bodies.count)
    }

    @Test func `keeps a relative range where the first page had it`() throws {
        let now = EventFile.now
        let file = try EventFile(
            (1...4).map { TestEvent(time: now - $0 * 1000, data: "{\"k\":\($0)}") })
        let query = pairs("metric=count&group_by=k&from=-5s&limit=2&where=time:ge:-5s")
        let run = { (pairs: [Parameter], now: Int64) in
            try file.result(QueryRequest.parse(pairs), now: now)
        }
        let first = try run(query, now)
        let next = try #require(first.next)
        let second = try run(query + [parameter("cursor", next)], now + 60_000)
        #expect(second.rowCount == 2 && second.next == nil)
    }

    @Test func `refuses a cursor of another query or of nobody`() throws {
        let file = try EventFile((0..<4).map { TestEvent(time: noon, data: "{\"k\":\($0)}") })
        let query = "metric=count&group_by=k&\(day)"
        let next = try #require(try file.result(query + "&limit=1").next)
        #expect(try file.result(query + "&limit=3&cursor=\(next)").rowCount == 3)
        var digits = Array(next)
        digits[12] = digits[12] == "0" ? "1" : "0"
        let flipped = String(digits)
        for wrong in [
            "metric=count&group_by=j&\(day)&cursor=\(next)", query + "&order=k&cursor=\(next)",
            query + "&cursor=\(next.dropLast())", query + "&cursor=\(next.uppercased())X",
            query + "&cursor=\(flipped)", query + "&cursor=" + String(repeating: "f", count: 74),
        ] {
            let error = try #require(throws: QueryError.self) { try file.result(wrong) }
            #expect(error.code == "invalid_cursor" && error.parameter == "cursor")
        }
    }

    @Test func `cuts an answer that grows too large and goes on behind it`() throws {
        let filler = String(repeating: "x", count: 200_000)
        let file = try EventFile(
            (0..<200).map { TestEvent(time: noon, data: "{\"k\":\"\($0)\(filler)\"}") })
        let query = "metric=count&group_by=k&\(day)"
        let first = try file.result(query)
        #expect(first.rowCount < 200 && first.body.count < 17 << 20)
        let next = try #require(first.next)
        let rest = try file.result(query + "&cursor=\(next)")
        #expect(first.rowCount + rest.rowCount >= 168 && rest.rowCount > 0)
    }

    @Test func `ends at its deadline and leaves the connection usable`() throws {
        let file = try EventFile(
            (0..<2000).map { TestEvent(time: noon + $0, data: "{\"k\":\($0)}") })
        let plan = try QueryPlan(
            QueryRequest.parse(pairs("metric=uniq:k,count&group_by=k&\(day)")), now: EventFile.now)
        for deadline in [Deadline(MonotonicTime(nanoseconds: 1)), .after(.microseconds(200))] {
            let error = try #require(throws: QueryError.self) {
                while true {
                    _ = try QueryBackend.scan.run(
                        plan, on: file.reader, deadline: deadline)
                }
            }
            #expect(error.kind == .timeout && error.code == "query_timeout")
        }
        let asked = Locked(0)
        let cancelled = try #require(throws: QueryError.self) {
            _ = try QueryBackend.scan.run(plan, on: file.reader, deadline: .never) {
                asked.withLock { $0 += 1 }
                return true
            }
        }
        #expect(cancelled.kind == .timeout && asked.withLock { $0 } > 0)
        #expect(try file.rows("metric=count&\(day)") == [[.integer(2000)]])
    }

    @Test func `says that the store cannot be read`() throws {
        let connection = try Connection(path: ":memory:", role: .writer)
        let plan = try QueryPlan(QueryRequest.parse(pairs("metric=count")), now: EventFile.now)
        let error = try #require(throws: QueryError.self) {
            try QueryBackend.scan.run(plan, on: connection, deadline: .never)
        }
        #expect(error.kind == .unavailable && error.code == "store_unavailable")
        #expect(error.cause != nil)
    }
}
