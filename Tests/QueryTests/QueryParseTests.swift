import Primitives
import SQLite
import TestSupport
import Testing

@testable import Query

@Suite(.blocking) struct QueryParseTests {
    static let now = EventFile.now

    func parse(_ query: String) throws -> QueryRequest { try QueryRequest.parse(pairs(query)) }

    func plan(_ query: String) throws -> QueryPlan { try QueryPlan(parse(query), now: Self.now) }

    @Test(arguments: [
        ("", "missing_parameter", "metric"),
        ("metric=", "invalid_parameter", "metric"),
        ("metric=count,", "invalid_parameter", "metric"),
        ("metric=counts", "invalid_parameter", "metric"),
        ("metric=count,count", "invalid_parameter", "metric"),
        ("metric=sum", "invalid_parameter", "metric"),
        ("metric=sum:", "invalid_parameter", "metric"),
        ("metric=sum:a..b", "invalid_parameter", "metric"),
        ("metric=sum:time", "invalid_parameter", "metric"),
        ("metric=avg:type", "invalid_parameter", "metric"),
        ("metric=median:ms", "invalid_parameter", "metric"),
        ("metric=p95", "invalid_parameter", "metric"),
        ("metric=p95:id", "invalid_parameter", "metric"),
        ("metric=count&metric=count", "invalid_parameter", "metric"),
        ("metric=count&limit=1&limit=2", "repeated_parameter", "limit"),
        ("metric=count&nonsense=1", "unknown_parameter", "nonsense"),
        ("metric=count&event=", "invalid_parameter", "event"),
        ("metric=count&event=a,,b", "invalid_parameter", "event"),
        ("metric=count&event=a,a", "invalid_parameter", "event"),
        ("metric=count&from=yesterday", "invalid_parameter", "from"),
        ("metric=count&from=2024-02-30", "invalid_parameter", "from"),
        ("metric=count&from=2024-01-01T00:00:00", "invalid_parameter", "from"),
        ("metric=count&from=-24", "invalid_parameter", "from"),
        ("metric=count&from=-1y", "invalid_parameter", "from"),
        ("metric=count&from=-9999999999s", "invalid_parameter", "from"),
        ("metric=count&from=-999999999w", "invalid_parameter", "from"),
        ("metric=count&from=now+1h", "invalid_parameter", "from"),
        ("metric=count&to=1718452800", "invalid_parameter", "to"),
        ("metric=count&from=2024-01-02&to=2024-01-02", "invalid_parameter", "from"),
        ("metric=count&from=2024-01-03&to=2024-01-02", "invalid_parameter", "from"),
        ("metric=count&from=2999-01-01&to=now", "invalid_parameter", "from"),
        ("metric=count&interval=2h", "invalid_parameter", "interval"),
        ("metric=count&interval=1m&from=2020-01-01", "too_many_buckets", "interval"),
        ("metric=count&tz=Mars/Olympus", "invalid_parameter", "tz"),
        ("metric=count&tz=../../etc/passwd", "invalid_parameter", "tz"),
        ("metric=count&tz=/etc/localtime", "invalid_parameter", "tz"),
        ("metric=count&tz=Europe/", "invalid_parameter", "tz"),
        ("metric=count&tz=Europe", "invalid_parameter", "tz"),
        ("metric=count&tz=tzdata.zi", "invalid_parameter", "tz"),
        ("metric=count&tz=right/UTC", "invalid_parameter", "tz"),
        ("metric=count&group_by=a,b,c,d,e", "invalid_parameter", "group_by"),
        ("metric=count&group_by=a.b.c.d.e.f.g.h.i", "invalid_parameter", "group_by"),
        ("metric=count&group_by=a\"b", "invalid_parameter", "group_by"),
        ("metric=count&group_by=a.\"b", "invalid_parameter", "group_by"),
        ("metric=count&group_by=\"a\"b", "invalid_parameter", "group_by"),
        ("metric=count&group_by=data.", "invalid_parameter", "group_by"),
        ("metric=count&group_by=ext.", "invalid_parameter", "group_by"),
        ("metric=count&group_by=a\\b", "invalid_parameter", "group_by"),
        ("metric=count&group_by=a\u{0}b", "invalid_parameter", "group_by"),
        ("metric=count&group_by=a\u{85}b", "invalid_parameter", "group_by"),
        ("metric=count&group_by=count", "invalid_parameter", "group_by"),
        ("metric=count&group_by=time&interval=1h", "invalid_parameter", "group_by"),
        ("metric=count&where=status", "invalid_parameter", "where"),
        ("metric=count&where=status:200", "invalid_parameter", "where"),
        ("metric=count&where=status:eq", "invalid_parameter", "where"),
        ("metric=count&where=status:like:2%", "invalid_parameter", "where"),
        ("metric=count&where=:eq:1", "invalid_parameter", "where"),
        ("metric=count&where=a:exists:maybe", "invalid_parameter", "where"),
        ("metric=count&where=time:gt:noon", "invalid_parameter", "where"),
        ("metric=count&where=time:prefix:2024", "invalid_parameter", "where"),
        ("metric=count&where=a:eq:\u{0}", "invalid_parameter", "where"),
        ("metric=count&order=size", "invalid_parameter", "order"),
        ("metric=count&order=--count", "invalid_parameter", "order"),
        ("metric=count&limit=0", "invalid_parameter", "limit"),
        ("metric=count&limit=10001", "invalid_parameter", "limit"),
        ("metric=count&limit=-1", "invalid_parameter", "limit"),
        ("metric=count&limit=1.5", "invalid_parameter", "limit"),
        ("metric=count&limit=1.", "invalid_parameter", "limit"),
        ("metric=count&limit=", "invalid_parameter", "limit"),
        ("metric=count&limit=99999999999999999999", "invalid_parameter", "limit"),
        ("metric=count&fill=0", "invalid_parameter", "fill"),
        ("metric=count&fill=1&interval=1h", "invalid_parameter", "fill"),
        ("metric=count&cache=always", "invalid_parameter", "cache"),
        ("metric=count&max_stale=-1", "invalid_parameter", "max_stale"),
        ("metric=count&max_stale=1.5", "invalid_parameter", "max_stale"),
        ("metric=count&explain=yes", "invalid_parameter", "explain"),
        ("metric=count&format=xml", "invalid_parameter", "format"),
        ("metric=count&shape=tree", "invalid_parameter", "shape"),
        ("metric=count&cursor=abc", "invalid_cursor", "cursor"),
    ])
    func `refuses what it cannot answer and names the parameter`(
        query: String, code: String, parameter: String
    ) throws {
        let error = try #require(throws: QueryError.self) { try plan(query) }
        #expect(error.code == code)
        #expect(error.parameter == parameter)
        #expect(error.kind == .badRequest && error.message.contains(parameter))
    }

    @Test func `never repeats what was sent`() throws {
        let secret = "hunter2-4111111111111111"
        for name in ["metric", "from", "tz", "group_by", "where", "order", "limit", "cursor"] {
            let prefix = name == "metric" ? "" : "metric=count&"
            let text = name == "group_by" ? "\"\(secret)" : secret
            let error = try #require(throws: QueryError.self) {
                try plan("\(prefix)\(name)=\(text)")
            }
            #expect(!error.message.contains("hunter2"))
        }
        let name = "password:\(secret)"
        let error = try #require(throws: QueryError.self) { try parse("metric=count&\(name)=1") }
        #expect(!error.message.contains("hunter2") && error.parameter == "?")
    }

    @Test(arguments: [
        ("2024-01-02", "2024-01-02T00:00:00Z"),
        ("2024-01-02T03:04:05Z", "2024-01-02T03:04:05Z"),
        ("2024-01-02T03:04:05.678+02:00", "2024-01-02T01:04:05.678Z"),
        ("-90s", "2024-06-15T11:58:30Z"), ("-30m", "2024-06-15T11:30:00Z"),
        ("-24h", "2024-06-14T12:00:00Z"), ("-7d", "2024-06-08T12:00:00Z"),
        ("-2w", "2024-06-01T12:00:00Z"), ("now-1h", "2024-06-15T11:00:00Z"),
    ])
    func `reads a moment`(text: String, moment: String) throws {
        #expect(try plan("metric=count&from=\(text)").from == at(moment))
        #expect(try plan("metric=count&from=1970-01-01&to=\(text)").to == at(moment))
    }

    @Test func `takes all from the last day on when no range is asked`() throws {
        let open = try plan("metric=count")
        #expect(open.from == Self.now - 86_400_000 && open.isOpen && open.endOrNil == nil)
        let last = "metric=count&to=2024-01-02"
        #expect(try plan(last).from == at("2024-01-01T00:00:00Z"))
        // The moment itself is included.
        let toNow = try plan("metric=count&to=now")
        #expect(toNow.to == Self.now + 1000 && toNow.from == Self.now - 86_400_000)
        #expect(try plan("metric=count&from=2999-01-01").isOpen)
    }

    @Test func `takes a date for a day of the zone`() throws {
        let plan = try plan(
            "metric=count&tz=Europe/Berlin&from=2024-03-31&to=2024-04-01&where=time:lt:2024-04-01")
        #expect(try plan.from == at("2024-03-30T23:00:00Z"))
        #expect(try plan.to == at("2024-03-31T22:00:00Z"))
        #expect(try plan.conditions[0].operands == [.integer(at("2024-03-31T22:00:00Z"))])
    }

    @Test(arguments: [
        ("-1s", 999, 1000), ("-3h", 999, 1000), ("-4h", 9999, 10_000), ("-24h", 59_999, 60_000),
        ("-7d", 59_999, 60_000),
    ])
    func `is the same question for as long as its moment stays in its step`(
        from: String, within: Int64, beyond: Int64
    ) throws {
        let request = try parse("metric=count&from=\(from)")
        let key = request.canonicalKey(now: Self.now)
        #expect(request.canonicalKey(now: Self.now + within) == key)
        #expect(request.canonicalKey(now: Self.now + beyond) != key)
        let first = try QueryPlan(request, now: Self.now)
        #expect(try QueryPlan(request, now: Self.now + within).from == first.from)
        #expect(try QueryPlan(request, now: Self.now + beyond).from == first.from + beyond)
    }

    @Test func `splits lists where the client put a comma and nowhere else`() throws {
        let list = { (name: String, elements: [String]) in Parameter(name: name, elements: elements)
        }
        let request = try QueryRequest.parse([
            list("metric", ["count", "sum:data.\"a", "b\""]), list("event", ["order,paid", "x"]),
            list("event", ["y"]), list("group_by", ["a,b", "\"c", "d\""]),
            list("where", ["v:in:1,5", "2"]), list("where", ["e", "f:eq:1", "2"]),
            list("order", ["-count"]),
        ])
        #expect(request.types == ["order,paid", "x", "y"])
        #expect(
            request.columnNames == ["a,b", "\"c,d\"", "count", "sum:data.\"a,b\""])
        #expect(request.conditions[0].operands == [.text("1,5"), .text("2"), .integer(2)])
        #expect(request.conditions[1].field.name == "e,f")
        #expect(request.conditions[1].operands == [.text("1,2")])
    }

    @Test func `says where a member of data is that is called like an attribute`() throws {
        let error = try #require(throws: QueryError.self) { try parse("metric=sum:id") }
        #expect(error.message.contains("sum:data.id"))
        guard case .data(let path) = try QueryField.parse("data.type", for: "where").place else {
            throw TestError("data.type is no path")
        }
        #expect(path == QueryPath("type"))
    }

    @Test func `reads every parameter`() throws {
        let request = try parse(
            "metric=count,sum:cart.total,uniq:items.0.sku&event=a,b&from=-7d&to=now&interval=1d"
                + "&tz=Europe/Berlin&group_by=country,type&where=status:in:200,404"
                + "&where=url:eq:http://x:80/&order=-count,time&limit=5&fill=null&cache=bypass"
                + "&max_stale=60&explain=1&format=csv&shape=objects&rollup=off")
        #expect(
            request.columnNames
                == ["time", "country", "type", "count", "sum:cart.total", "uniq:items.0.sku"])
        #expect(request.types == ["a", "b"])
        #expect(request.zone == "Europe/Berlin")
        #expect(request.conditions.count == 2)
        #expect(request.conditions[0].operands.count == 4)
        #expect(request.conditions[1].operands == [.text("http://x:80/")])
        #expect(
            request.order == [
                QueryOrder(column: 3, isDescending: true),
                QueryOrder(column: 0, isDescending: false),
            ])
        #expect(request.limit == 5 && request.fill == .null && request.cacheMode == .bypass)
        #expect(request.maxStaleSeconds == 60 && request.explain)
        #expect(request.format == .csv && request.shape == .objects && !request.usesRollups)
    }

    @Test(arguments: [
        ("ms", ["$.\"ms\""]), ("cart.total", ["$.\"cart\".\"total\""]),
        ("items.0.sku", ["$.\"items\"", "[0].\"sku\"", ".\"0\".\"sku\""]),
        ("0", ["$", "[0]", ".\"0\""]), ("a.007", ["$.\"a\".\"007\""]),
        ("a.1.2", ["$.\"a\"", "[1]", ".\"1\"", "[2]", ".\"2\""]),
        ("\"1\".\"a.b\"", ["$.\"1\".\"a.b\""]), ("größe", ["$.\"größe\""]),
        ("a b]['; DROP", ["$.\"a b]['; DROP\""]),
    ])
    func `makes a path of a field`(name: String, pieces: [String]) throws {
        let path = try #require(QueryPath(name)).sqlite
        #expect([path.start] + path.steps.flatMap { [$0.element, $0.member] } == pieces)
    }

    @Test func `takes names that differ in bytes for different names`() throws {
        let (composed, decomposed) = ("caf\u{E9}", "cafe\u{301}")
        let request = try parse(
            "metric=uniq:\(composed),uniq:\(decomposed)&event=\(composed),\(decomposed)"
                + "&group_by=\(composed),\(decomposed)&order=-\(decomposed)")
        #expect(
            request.types.map { ExactText($0) } == [ExactText(composed), ExactText(decomposed)])
        #expect(request.order == [QueryOrder(column: 1, isDescending: true)])
        #expect(request.groups[0] != request.groups[1])
        let keys = try [composed, decomposed].map {
            try parse("metric=count&event=\($0)").canonicalKey(now: 0)
        }
        #expect(keys[0] != keys[1])
        // A comma stays one, whatever stands behind it.
        #expect(try parse("metric=count&event=a,\u{301}b").types == ["a", "\u{301}b"])
    }

    @Test(arguments: [
        ("page2", "page2"), ("x-1.y", "x-1.y"), ("where[]", "where[]"), ("a b", "?"),
        ("k\u{E9}y", "?"),
    ])
    func `names an unknown parameter as far as it may be shown`(name: String, shown: String) throws
    {
        let error = try #require(throws: QueryError.self) { try parse("metric=count&\(name)=1") }
        #expect(error.code == "unknown_parameter" && error.parameter == shown)
        #expect(error.message.hasPrefix("\(shown) is no parameter"))
    }

    @Test func `reads everything else before it lays out buckets`() throws {
        let error = try #require(throws: QueryError.self) {
            try plan("metric=count&interval=1m&from=2020-01-01&limit=0")
        }
        #expect(error.parameter == "limit")
    }

    @Test(arguments: [
        ("200", SQLValue.integer(200)), ("-0", .integer(0)), ("1.5", .real(1.5)),
        ("1e3", .real(1000)), ("9223372036854775808", .real(9_223_372_036_854_775_808)),
    ])
    func `reads a JSON number`(text: String, value: SQLValue) {
        #expect(JSONNumber.parse(text) == value)
    }

    @Test(arguments: [
        "", "-", "+1", "01", "1.", ".5", "1e", "1e+", "0x10", "nan", "inf", " 1", "1 ", "1e999",
        "-01", "1_000",
    ])
    func `reads nothing else as a number`(text: String) {
        #expect(JSONNumber.parse(text) == nil)
    }

    @Test func `gives one request one key and another another`() throws {
        let base = try parse("metric=count&event=a,b&where=x:eq:1&where=y:eq:2")
        let same = try parse("where=y:eq:2&event=b,a&where=x:eq:1&metric=count&cache=refresh")
        #expect(base.canonicalKey(now: 0) == same.canonicalKey(now: 0))
        let others = [
            "metric=count&event=a,b&where=x:eq:1",
            "metric=count&event=a,c&where=x:eq:1&where=y:eq:2",
            "metric=count&event=a,b&where=x:ne:1&where=y:eq:2",
            "metric=count&event=a,b&where=x:eq:1&where=y:eq:2&limit=7",
            "metric=count&event=a,b&where=x:eq:1&where=y:eq:2&format=csv",
        ]
        #expect(
            try Set(others.map { try parse($0).canonicalKey(now: 0) } + [base.canonicalKey(now: 0)])
                .count == 6)
    }

    @Test func `gives pages of sketches other keys than pages of exact values`() throws {
        let text = "metric=uniq:user&group_by=country"
        var requests = [try parse(text), try parse(text)]
        for (index, isSketched) in [false, true].enumerated() {
            requests[index].cursor = QueryCursor(
                fingerprint: requests[index].fingerprint, now: Self.now, offset: 3, lastSeq: 9,
                isSketched: isSketched)
        }
        #expect(requests[0].canonicalKey(now: 0) != requests[1].canonicalKey(now: 0))
    }

    @Test func `compiles a request to the same statement every time`() throws {
        let compile = { (query: String) in
            try QueryCompiler.compile(try plan(query), lastSeq: 9, newest: Self.now)
        }
        let query = "metric=count,sum:ms&event=a&group_by=k&where=ms:gt:3&interval=1h"
        #expect(try compile(query) == compile(query))
        let other = "metric=count,sum:ns&event=b&group_by=l&where=ns:gt:4&interval=1h"
        #expect(try compile(query).sql == compile(other).sql)
    }
}
