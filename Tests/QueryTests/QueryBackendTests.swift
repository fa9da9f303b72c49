import Primitives
import SQLite
import Testing
import TestSupport

@testable import Query

/// A day that the tests fill: 2024-06-01.
private let day = "from=2024-06-01&to=2024-06-02"
private let noon: Int64 = 1_717_243_200_000

@Suite(.blocking) struct QueryBackendTests {
    @Test func `answers with exactly one row without groups and interval`() throws {
        let file = try EventFile()
        let answer = try file.answer("metric=count,sum:ms,avg:ms,min:ms,max:ms,uniq:ms")
        #expect(
            answer["rows"]?.elements.map(\.elements) == [
                [.integer(0), .null, .null, .null, .null, .integer(0)]
            ])
        #expect(answer["row_count"] == .integer(1))
        #expect(answer["truncated"] == .bool(false))
        #expect(answer["next"] == .null)
        #expect(try file.rows("metric=count&event=nothing") == [[.integer(0)]])
        #expect(try file.rows("metric=count&group_by=k").isEmpty)
        #expect(try file.rows("metric=count&interval=1h").isEmpty)
    }

    @Test func `keeps the type of every JSON value in a group`() throws {
        let values = [
            "1", "1.5", "\"1\"", "true", "false", "null", "{\"a\":[1,true]}", "[\"x\"]", "\"[1]\"",
            "\"a\\n\\\"é\\u0001\"",
        ]
        let file = try EventFile(
            values.map { TestEvent(time: noon, data: "{\"v\":\($0)}") }
                + [TestEvent(time: noon, data: "{}"), TestEvent(time: noon)])
        let rows = try file.rows("metric=count&group_by=v&\(day)")
        let expected: [JSONTree] = [
            .null, .integer(1), .real(1.5), .string("1"), .string("[1]"), .string("a\n\"é\u{1}"),
            .bool(false), .bool(true), .array([.string("x")]),
            .object(["a": .array([.integer(1), .bool(true)])]),
        ]
        #expect(rows.map { $0[0] } == expected)
        #expect(rows[0][1] == .integer(3))
        #expect(
            try file.answer("metric=count&group_by=v&\(day)")["columns"]?.elements[0]["type"]
                == .string("any"))
    }

    @Test func `keeps a string whole that holds U+0000`() throws {
        let values = [
            #"a"#, #"a\u0000"#, #"a\u0000b"#, #"a\u0000b"#, #"\u0000"#, #""#, #"a\\u0000"#,
            #"\u0001a\\\u0000\u0001b\n"#,
        ]
        let file = try EventFile(values.map { TestEvent(time: noon, data: "{\"v\":\"\($0)\"}") })
        let rows = try file.rows("metric=count&group_by=v&order=-count,v&\(day)")
        #expect(
            rows.map { $0[0] } == [
                .string("a\u{0}b"), .string(""), .string("\u{0}"),
                .string("\u{1}a\\\u{0}\u{1}b\n"), .string("a"), .string("a\u{0}"),
                .string("a\\u0000"),
            ])
        #expect(rows.map { $0[1] } == [.integer(2)] + (0..<6).map { _ in .integer(1) })
        #expect(
            try file.rows("metric=uniq:v,max:v,min:v&where=v:prefix:a&\(day)")
                == [[.integer(4), .string("a\\u0000"), .string("a")]])
        for (condition, count) in [("eq:a", 1), ("contains:b", 3), ("eq:", 1), ("gt:a", 4)] {
            #expect(
                try file.rows("metric=count&where=v:\(condition)&\(day)") == [[.integer(count)]],
                "\(condition)")
        }
    }

    @Test func `takes a number in a path as the document does`() throws {
        let file = try EventFile(
            [
                #"{"counts":{"200":5,"404":1},"0":7}"#, #"{"counts":{"200":6}}"#,
                #"{"counts":[1,2]}"#, #"{"counts":"200"}"#, #"{"counts":[{"1":8},[3,4]]}"#,
            ].map { TestEvent(time: noon, data: $0) })
        for (field, sum) in [
            ("counts.200", 11), ("counts.404", 1), ("counts.1", 2), ("0", 7), ("counts.0.1", 8),
            ("counts.1.1", 4),
        ] {
            #expect(
                try file.rows("metric=sum:\(field)&\(day)") == [[.integer(sum)]], "\(field)")
        }
        #expect(try file.rows("metric=uniq:counts.5&\(day)") == [[.integer(0)]])
        // Each segment a number.
        let deep = try EventFile([
            TestEvent(time: noon, data: #"{"0":[{"0":[{"0":[[{"0":9}]]}]}]}"#)
        ])
        #expect(try deep.rows("metric=sum:0.0.0.0.0.0.0.0&\(day)") == [[.integer(9)]])
    }

    @Test func `answers for a name and not for one that looks like it`() throws {
        let file = try EventFile([
            TestEvent(time: noon, type: "caf\u{E9}", data: "{\"caf\u{E9}\":1,\"cafe\u{301}\":20}"),
            TestEvent(time: noon, type: "cafe\u{301}", data: "{\"caf\u{E9}\":300}"),
        ])
        #expect(
            try file.rows("metric=sum:caf\u{E9},sum:cafe\u{301}&\(day)")
                == [[.integer(301), .integer(20)]])
        #expect(
            try file.rows("metric=count&event=caf\u{E9},cafe\u{301}&\(day)") == [[.integer(2)]])
        #expect(
            try file.rows("metric=count&event=cafe\u{301}&\(day)") == [[.integer(1)]])
    }

    @Test(arguments: [
        ("v:eq:200", [0, 1, 2]), ("v:eq:200.0", [0, 2]), ("v:ne:200", [3, 4, 5, 6, 7, 8, 9]),
        ("v:eq:true", [3]), ("v:eq:1", []), ("v:eq:null", [4, 9]),
        ("v:ne:null", [0, 1, 2, 3, 5, 6, 7, 8]),
        ("v:in:true,abc,7", [3, 5, 6]), ("v:in:null,abc", [4, 5, 9]),
        ("v:gt:7", [0, 2]), ("v:ge:7", [0, 2, 6]), ("v:lt:200", [6]), ("v:le:200", [0, 2, 6]),
        ("v:gt:aaa", [5]), ("v:lt:aaa", [1, 7]), ("v:prefix:a", [5, 7]), ("v:prefix:a%", [7]),
        ("v:prefix:2", [1]), ("v:contains:%", [7]), ("v:contains:bc", [5]), ("v:contains:b_", []),
        ("v:exists", [0, 1, 2, 3, 5, 6, 7, 8]), ("v:exists:false", [4, 9]),
        ("v:prefix:", [1, 5, 7]),
        ("v.deep:eq:x:y", [8]), ("n:gt:3", [4, 5, 6, 7, 8, 9]),
    ])
    func `keeps the events that meet a condition`(condition: String, kept: [Int]) throws {
        let values = [
            "200", "\"200\"", "200.0", "true", "null", "\"abc\"", "7", "\"a%c\"",
            "{\"deep\":\"x:y\"}",
        ]
        let file = try EventFile(
            values.enumerated().map {
                TestEvent(time: noon, data: "{\"n\":\($0.offset),\"v\":\($0.element)}")
            } + [TestEvent(time: noon, data: "{\"n\":9}")])
        let rows = try file.rows("metric=count&group_by=n&\(day)&where=\(condition)")
        #expect(rows.map { $0[0] } == kept.map { .integer($0) })
    }

    @Test(arguments: [
        ("type:eq:b", 1), ("type:ne:b", 2), ("type:in:a,b", 3), ("type:prefix:a", 2),
        ("type:eq:null", 0),
        ("source:eq:/web", 2), ("source:ne:/web", 1), ("source:contains:we", 2),
        ("source:gt:/b", 2),
        ("subject:eq:ann", 1), ("subject:exists:false", 1), ("subject:ne:ann", 2),
        ("subject:eq:1", 1),
        ("subject:eq:null", 1), ("id:eq:x1", 1), ("id:prefix:018f0000-0000-7000", 2),
        ("time:ge:2024-06-01T12:00:01Z", 2), ("time:eq:2024-06-01T12:00:00Z", 1),
        ("time:lt:2024-06-01T12:00:02Z", 2), ("time:ne:2024-06-01T12:00:02Z", 2),
        ("time:gt:-1h", 0),
    ])
    func `keeps the events whose attributes meet a condition`(condition: String, count: Int)
        throws
    {
        let file = try EventFile([
            TestEvent(time: noon, type: "a", source: "/api", id: "x1", subject: "ann"),
            TestEvent(time: noon + 1000, type: "b", subject: "1"),
            TestEvent(time: noon + 2000, type: "a"),
        ])
        #expect(try file.rows("metric=count&\(day)&where=\(condition)") == [[.integer(count)]])
    }

    @Test func `groups by attributes`() throws {
        let file = try EventFile([
            TestEvent(time: noon, type: "b", source: "/api", id: "x1", subject: "ann"),
            TestEvent(time: noon, type: "a", source: "/web"),
            TestEvent(time: noon + 1, type: "a", source: "/api"),
        ])
        let rows = try file.rows("metric=count,uniq:source,max:source&group_by=type&\(day)")
        #expect(
            rows == [
                [.string("a"), .integer(2), .integer(2), .string("/web")],
                [.string("b"), .integer(1), .integer(1), .string("/api")],
            ])
        let ids = try file.rows("metric=min:time&group_by=id,time,subject&\(day)&limit=2&order=-id")
        #expect(ids[0][0] == .string("x1") && ids[0][2] == .string("ann"))
        #expect(ids[0][3] == .string("2024-06-01T12:00:00.000Z"))
        #expect(ids[1][0] == .string("018f0000-0000-7000-0000-000000000003"))
        #expect(ids[1][1] == .string("2024-06-01T12:00:00.001Z"))
    }

    @Test func `counts the range from its first moment up to but without its last`() throws {
        let file = try EventFile([-1, 0, 999, 1000].map { TestEvent(time: noon + $0, type: "a") })
        let range = "from=2024-06-01T12:00:00Z&to=2024-06-01T12:00:01Z"
        for events in ["", "&event=a", "&event=a,b"] {
            #expect(try file.rows("metric=count&\(range)\(events)") == [[.integer(2)]])
        }
        let old = try EventFile([-60_001, -60_000, -1, 0].map { TestEvent(time: $0, type: "a") })
        let early = "metric=count&event=a&from=1969-12-31T23:59:00Z&to=1970-01-01"
        #expect(try old.rows(early) == [[.integer(2)]])
        #expect(
            try old.rows(early + "&interval=1m") == [
                [.string("1969-12-31T23:59:00.000Z"), .integer(2)]
            ])
        #expect(
            try old.rows("metric=sum:x,count&from=1969-12-31T23:50:00Z&to=1970-01-02&interval=5m")
                == [
                    [.string("1969-12-31T23:55:00.000Z"), .null, .integer(3)],
                    [.string("1970-01-01T00:00:00.000Z"), .null, .integer(1)],
                ])
    }

    @Test func `sums integers exactly and what overflows as a real`() throws {
        let big = Int64.max
        let file = try EventFile(
            [
                ("a", "\(big)"), ("a", "1"), ("b", "\(big - 1)"), ("b", "-\(big)"), ("c", "1.5"),
                ("c", "2"), ("d", "\"9\""), ("d", "true"), ("e", "\(big - 1)"), ("e", "1"),
                ("f", "\(Int64.min)"), ("g", "\(Int64.min)"), ("g", "-1"),
                ("h", "18446744073709551616"), ("i", "\(big)"), ("i", "\(big)"), ("i", "-\(big)"),
            ].map {
                TestEvent(time: noon, data: "{\"k\":\"\($0.0)\",\"v\":\($0.1)}")
            })
        let rows = try file.rows("metric=sum:v&group_by=k&\(day)")
        #expect(
            rows == [
                [.string("a"), .real(9_223_372_036_854_775_808)], [.string("b"), .integer(-1)],
                [.string("c"), .real(3.5)], [.string("d"), .null],
                // Exact, although another group's sum is not.
                [.string("e"), .integer(.max)], [.string("f"), .integer(.min)],
                [.string("g"), .real(-9_223_372_036_854_775_808)],
                [.string("h"), .real(18_446_744_073_709_551_616)], [.string("i"), .integer(.max)],
            ])
    }

    @Test(arguments: [
        "'; DROP TABLE event_rows; --", "\u{22}", "x\u{27} OR 1=1", "%", "?1", ":now", "日本",
    ])
    func `binds what clients send and never pastes it`(text: String) throws {
        let data = "{\"v\":\(text == "\u{22}" ? "\"\\\"\"" : "\"\(text)\"")}"
        let file = try EventFile([TestEvent(time: noon, type: "a", data: data)])
        #expect(try file.rows("metric=count&\(day)&where=v:eq:\(text)") == [[.integer(1)]])
        #expect(try file.rows("metric=count&\(day)&event=\(text)") == [[.integer(0)]])
        if text != "\u{22}" {
            #expect(
                try file.rows("metric=count&\(day)&group_by=\(text)") == [[.null, .integer(1)]])
        }
        #expect(try file.rows("metric=count&\(day)") == [[.integer(1)]])
    }

    @Test func `fills empty buckets for every group that it saw`() throws {
        let file = try EventFile([
            TestEvent(time: noon, data: "{\"k\":\"a\",\"v\":3}"),
            TestEvent(time: noon + 7_200_000, data: "{\"v\":4}"),
        ])
        let range = "from=2024-06-01T12:00:00Z&to=2024-06-01T15:00:00Z&interval=1h"
        let rows = try file.rows("metric=count,avg:v,min:time&group_by=k&fill=0&\(range)")
        let (first, second, third) = (
            JSONTree.string("2024-06-01T12:00:00.000Z"),
            JSONTree.string("2024-06-01T13:00:00.000Z"),
            JSONTree.string("2024-06-01T14:00:00.000Z")
        )
        #expect(
            rows == [
                [first, .null, .integer(0), .integer(0), .null],
                [first, .string("a"), .integer(1), .real(3), first],
                [second, .null, .integer(0), .integer(0), .null],
                [second, .string("a"), .integer(0), .integer(0), .null],
                [third, .null, .integer(1), .real(4), third],
                [third, .string("a"), .integer(0), .integer(0), .null],
            ])
        let counts = { (fill: String) in
            try file.rows("metric=count&\(fill)&\(range)").map { $0[1] }
        }
        #expect(try counts("fill=0") == [.integer(1), .integer(0), .integer(1)])
        #expect(try counts("fill=null") == [.integer(1), .null, .integer(1)])
        #expect(try counts("") == [.integer(1), .integer(1)])
        let latest = try file.rows("metric=count&fill=0&order=-time&limit=2&\(range)")
        #expect(latest.map { $0[0] } == [third, second])
    }

    @Test func `counts the days of a zone, long and short ones too`() throws {
        let start = try at("2024-03-29T23:00:00Z")
        let file = try EventFile(
            (0..<72).map { TestEvent(time: start + $0 * 3_600_000, data: "{\"v\":\($0)}") })
        let range = "from=2024-03-29T23:00:00Z&to=2024-04-01T23:00:00Z&interval=1d&tz=Europe/Berlin"
        let expected: [[JSONTree]] = [
            [.string("2024-03-29T23:00:00.000Z"), .integer(24)],
            [.string("2024-03-30T23:00:00.000Z"), .integer(23)],
            [.string("2024-03-31T22:00:00.000Z"), .integer(24)],
            [.string("2024-04-01T22:00:00.000Z"), .integer(1)],
        ]
        #expect(try file.rows("metric=count&\(range)") == expected)
        #expect(try file.rows("metric=uniq:v&\(range)") == expected)
    }

    @Test func `orders by any column and breaks ties by the keys`() throws {
        let file = try EventFile(
            [("a", 1), ("b", 2), ("c", 1)].flatMap { key, count in
                (0..<count).map { _ in TestEvent(time: noon, data: "{\"k\":\"\(key)\"}") }
            })
        let keys = { (order: String) in
            try file.rows("metric=count&group_by=k&\(day)&order=\(order)").map { $0[0].string }
        }
        #expect(try keys("count") == ["a", "c", "b"])
        #expect(try keys("-count") == ["b", "a", "c"])
        #expect(try keys("-count,-k") == ["b", "c", "a"])
        #expect(try keys("-k") == ["c", "b", "a"])
    }
}
