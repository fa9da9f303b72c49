import Testing

@testable import Query

@Suite struct SQLComplexityTests {
    @Test(arguments: [
        "SELECT 1", "SELECT * FROM events AS events, events e", "",
        "WITH a AS (SELECT 1), b(x, y) AS NOT MATERIALIZED (SELECT * FROM a, a), c AS MATERIALIZED "
            + "(SELECT * FROM b JOIN b AS d) SELECT * FROM c, c",
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c, c, c",
        "WITH days AS (SELECT day FROM events), day AS (SELECT * FROM days) SELECT 1 FROM day",
        "SELECT * FROM (WITH a AS (SELECT 1) SELECT * FROM a) JOIN (WITH a AS (SELECT 2) SELECT 1)",
        "SELECT CAST(a AS TEXT), ')', \"(\", [(], `(`, /* ( */ x -- (\n FROM events",
    ])
    func `honest statements are within the bounds`(sql: String) {
        #expect(SQLComplexity.isBounded(sql))
    }

    @Test func `a statement that doubles ten times is not`() {
        func doubling(_ count: Int, quote: String = "") -> String {
            "WITH t0 AS (SELECT 1)"
                + (1...count).map {
                    ", t\($0) AS (SELECT 1 FROM T\($0 - 1), \(quote)t\($0 - 1)\(quote))"
                }
                .joined() + " SELECT 1 FROM t\(count)"
        }
        #expect(SQLComplexity.isBounded(doubling(6)))
        for quote in ["", "\"", "'", "`"] {
            #expect(!SQLComplexity.isBounded(doubling(10, quote: quote)))
        }
        #expect(!SQLComplexity.isBounded(doubling(70)))
        #expect(
            !SQLComplexity.isBounded(
                "SELECT * FROM (" + doubling(10) + ") JOIN (SELECT 1)"))
    }

    @Test func `tables of one name within each other are not`() {
        func nested(_ names: [String]) -> String {
            names.reduce("SELECT 1") { inner, name in
                "WITH \(name) AS (\(inner)) SELECT 1 FROM \(name), \(name)"
            }
        }
        #expect(!SQLComplexity.isBounded(nested(["t", "t"])))
        #expect(!SQLComplexity.isBounded(nested((0..<10).flatMap { _ in ["a", "b"] })))
        #expect(SQLComplexity.isBounded(nested(["a", "b", "c"])))
    }

    @Test func `what a window asks belongs to the statement that has it`() {
        func windows(_ count: Int, _ definition: (Int) -> String) -> String {
            "WITH t0 AS (SELECT 1 AS x)"
                + (1...count).map {
                    ", t\($0) AS (SELECT sum(1) OVER w AS x FROM (SELECT 1) WINDOW "
                        + definition($0 - 1) + ")"
                }.joined() + " SELECT 1 FROM t\(count)"
        }
        for start in [
            "w AS (", "w AS (v ", "v AS (), w AS (v ", "w AS (\"select\" ", "w AS (with ",
        ] {
            let sql = windows(12) { "\(start)ORDER BY (SELECT a.x FROM t\($0) a, t\($0) b))" }
            #expect(!SQLComplexity.isBounded(sql), "\(start)")
        }
        #expect(SQLComplexity.isBounded(windows(4) { _ in "w AS (ORDER BY x)" }))
        #expect(
            SQLComplexity.isBounded(
                "WITH a AS (WITH b AS (SELECT 1), c AS (SELECT * FROM b) SELECT * FROM c, b) "
                    + "SELECT * FROM a, a"))
    }

    @Test func `conditions are counted`() {
        let list = (0..<999).map { "a = \($0)" }
        #expect(SQLComplexity.isBounded("SELECT 1 WHERE " + list.joined(separator: " OR ")))
        #expect(
            !SQLComplexity.isBounded(
                "SELECT 1 WHERE " + (list + list).joined(separator: " AND ")))
    }

    @Test func `a long chain is not`() {
        let chain =
            "WITH t0 AS (SELECT 1)"
            + (1...30).map { ", t\($0) AS (SELECT * FROM t\($0 - 1))" }.joined()
        #expect(!SQLComplexity.isBounded(chain + " SELECT 1 FROM t30"))
        #expect(SQLComplexity.isBounded(chain + " SELECT 1 FROM t10"))
        let long = (1...1500).map { ", t\($0) AS (SELECT * FROM t\($0 - 1))" }.joined()
        #expect(!SQLComplexity.isBounded("WITH t0 AS (SELECT 1)\(long) SELECT 1 FROM t1500"))
    }

    @Test func `tokens are told apart as SQLite does`() {
        let tokens = Array(SQLTokens("A'b''c' -- x\n:d /* e */ [F g](\"h\"\"i\") $j ?"))
        #expect(
            tokens == [
                .name("a"), .name("b'c"), .parameter(":d"), .name("f g"),
                .mark(UInt8(ascii: "(")), .name("h\"i"), .mark(UInt8(ascii: ")")), .parameter("$j"),
                .parameter("?"),
            ])
        #expect(
            Array(SQLTokens("a$1 \u{FEFF}b\u{FEFF} :p(((z)?12c $a::b(c d)#1"))
                == [
                    .name("a$1"), .name("b\u{FEFF}"), .parameter(":p(((z)"), .parameter("?12"),
                    .name("c"), .parameter("$a::b(c"), .name("d"), .mark(UInt8(ascii: ")")),
                    .parameter("#1"),
                ])
        #expect(Array(SQLTokens("'open")) == [.name("open")])
        #expect(Array(SQLTokens("/* open")).isEmpty)
    }
}
