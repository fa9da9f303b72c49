import Primitives
import Storage
import TestSupport
import Testing

@testable import Query

private let day = "from=2024-06-01&to=2024-06-02"
private let noon: Int64 = 1_717_243_200_000

/// What a question means, beyond what it could say before.
@Suite struct QueryGrammarTests {
    @Test func `counts what clients with clocks ahead have stored, unless the range ends`() throws {
        let file = try EventFile(
            [-86_400_000, -1, 0, 999, 1000, 5000, 3_600_000].map {
                TestEvent(time: EventFile.now + $0)
            })
        #expect(try file.rows("metric=count") == [[.integer(7)]])
        #expect(try file.rows("metric=count&to=now") == [[.integer(4)]])
        #expect(try file.rows("metric=count&from=2024-06-15") == [[.integer(6)]])
        #expect(try file.answer("metric=count&explain=1")["to"] == .null)
    }

    @Test func `fills an open range up to the present bucket and no further`() throws {
        // A clock that runs ahead by seven thousand years fills nothing in on its way.
        let file = try EventFile(
            [-7_200_000, 3_600_000, 220_000_000_000_000].map {
                TestEvent(time: EventFile.now + $0, data: #"{"k":1}"#)
            })
        let query = "metric=count&interval=1h&fill=0&from=2024-06-15T09:00:00Z"
        for group in ["", "&group_by=k"] {
            let rows = try file.rows(query + group)
            #expect(
                rows.compactMap(\.first?.string).map { String($0.prefix(13)) } == [
                    "2024-06-15T09", "2024-06-15T10", "2024-06-15T11", "2024-06-15T12",
                    "2024-06-15T13", "8995-12-23T19",
                ])
            #expect(rows.map { $0.last } == [0, 1, 0, 0, 1, 1].map { .integer($0) })
        }
    }

    @Test func `writes what has no number as nothing in CSV, and no line is empty`() throws {
        let huge = #"{"v":1e308,"k":"a"}"#
        let file = try EventFile([
            TestEvent(time: noon, data: huge), TestEvent(time: noon, data: huge),
        ])
        #expect(
            try file.result("metric=sum:v,count&format=csv&\(day)").body.text
                == "sum:v,count\r\n,2\r\n")
        #expect(
            try file.result("metric=avg:w&format=csv&\(day)").body.text == "avg:w\r\n\"\"\r\n")
        #expect(
            try file.result("metric=sum:v&format=csv&\(day)").body.text == "sum:v\r\n\"\"\r\n")
    }

    @Test func `reads data and extensions by their prefix and quoted segments as names`() throws {
        let file = try EventFile([
            TestEvent(
                time: noon, type: "t", id: "i",
                data:
                    #"{"type":"inner","id":7,"a.b":1,"c,d":{"e:f":2},"data":{"x":3},"0":{"0":5}}"#,
                extensions: #"{"tenant":"acme","shard":4}"#),
            TestEvent(time: noon, data: #"{"0":["z"]}"#),
        ])
        #expect(
            try file.rows(
                "metric=sum:data.id,sum:data.\"a.b\",sum:\"c,d\".\"e:f\",sum:data.data.x,"
                    + "sum:ext.shard,sum:\"0\".\"0\",max:0.0&\(day)")
                == [
                    [
                        .integer(7), .integer(1), .integer(2), .integer(3), .integer(4),
                        .integer(5), .integer(5),
                    ]
                ])
        #expect(
            try file.rows("metric=count&group_by=data.type,ext.tenant&\(day)") == [
                [.null, .null, .integer(1)], [.string("inner"), .string("acme"), .integer(1)],
            ])
        #expect(
            try file.rows("metric=count&where=ext.tenant:eq:acme&where=\"c,d\".\"e:f\":gt:1&\(day)")
                == [[.integer(1)]])
    }

    @Test func `takes the first of members with one name`() throws {
        let file = try EventFile(
            [#"{"a":1,"a":2}"#, #"{"a":{"b":4},"a":{"b":8}}"#, #"{"a":{},"a":{"b":16}}"#].map {
                TestEvent(time: noon, data: $0)
            })
        #expect(try file.rows("metric=sum:a,sum:a.b&\(day)") == [[.integer(1), .integer(4)]])
    }

    @Test func `finds fields in JSON however it is written`() throws {
        let file = try EventFile(
            [
                " { \"a\" : [ 1 , { \"b\" : \"x\\\"y\" } ] ,\n\t\"c\" : -0.5e1 } ",
                #"{"c":1E+2,"long":"\#(String(repeating: "\\\\", count: 40))","a":[[],{"b":"é"}]}"#,
                #"{"a":"[{]}","c":123456789012345678901234567890}"#,
                #"{"x":{"a":[0,{"b":1}]},"c":-9223372036854775808,"a":[0,{"b":{"d":[ 1, "q r" ]}}]}"#,
                #"{"c":9007199254740993.0,"a":[{"b":2}]}"#, "[]", "3", "\"a\"", "{}",
            ].map { TestEvent(time: noon, data: $0) })
        for query in [
            "metric=count&group_by=a.1.b", "metric=count&group_by=c", "metric=count&group_by=a",
            "metric=count&group_by=long", "metric=max:c,min:c,sum:c,uniq:a",
        ] {
            // The scan's answer is compared with that of SQL.
            #expect(try !file.rows("\(query)&\(day)").isEmpty)
        }
    }

    @Test func `shows a whole number as it was sent`() throws {
        let file = try EventFile(
            ["200.0", "200.0", "7", "7.0", "8.0", "8"].map {
                TestEvent(time: noon, data: "{\"v\":\($0)}")
            })
        let plan = try QueryPlan(
            QueryRequest.parse(pairs("metric=count&group_by=v&\(day)")), now: EventFile.now)
        let answer = try QueryBackend.scan.run(plan, on: file.reader, deadline: .never)
        #expect(answer.body.text.contains("[[7,2],[8,2],[200.0,2]]"))
    }

    @Test func `takes the greatest number where there are any`() throws {
        let file = try EventFile(
            ["\"n/a\"", "3", "10.5", "true"].map { TestEvent(time: noon, data: "{\"v\":\($0)}") })
        #expect(try file.rows("metric=max:v,min:v&\(day)") == [[.real(10.5), .integer(3)]])
        let texts = try EventFile(
            ["\"b\"", "\"a\"", "{}"].map { TestEvent(time: noon, data: "{\"v\":\($0)}") })
        #expect(
            try texts.rows("metric=max:v,min:v&\(day)") == [[.string("b"), .string("a")]])
    }

    @Test(arguments: [
        (["1"], 1, 1), (["1", "2"], 1, 2), (["4", "3", "2", "1"], 2, 4),
        ((1...100).map { "\($0)" }.shuffled(), 50, 99), (["-5", "-7", "-6"], -6, -5),
    ])
    func `takes the nearest rank for a percentile`(values: [String], p50: Int, p99: Int) throws {
        let file = try EventFile(
            values.map { TestEvent(time: noon, data: "{\"v\":\($0),\"w\":\"x\"}") })
        #expect(
            try file.rows("metric=p50:v,p99:v,p90:w&\(day)")
                == [[.integer(p50), .integer(p99), .null]])
    }

    @Test func `keeps the pages of one question together while events arrive`() throws {
        let file = try EventFile(
            (0..<4).map { TestEvent(time: noon, data: "{\"k\":\"\($0)\"}") })
        let query = "metric=count&group_by=k&from=2024-06-01&limit=2"
        let first = try file.result(query)
        try file.add((0..<9).map { TestEvent(time: noon, data: "{\"k\":\"!\($0)\"}") })
        let second = try file.answer("\(query)&cursor=\(#require(first.next))")
        #expect(second["rows"]?.elements.map(\.elements[0]) == [.string("2"), .string("3")])
        #expect(second["next"] == .null)
        #expect(try file.answer(query)["rows"]?.elements[0].elements[0] == .string("!0"))
    }

    @Test func `takes whole numbers however JSON writes them`() throws {
        #expect(try QueryRequest.parse(pairs("metric=count&limit=320.0")).limit == 320)
    }
}
