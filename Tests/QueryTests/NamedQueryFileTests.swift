import Primitives
import SQLite
import TestSupport
import Testing

@testable import Query

@Suite(.blocking) struct NamedQueryFileTests {
    private func query(_ text: String, name: String = "q") throws -> NamedQuery {
        try NamedQueryTrial(timeLimit: .seconds(5)).query(name: name, text: text)
    }

    private func problems(_ text: String, name: String = "q") throws -> [String] {
        let trial = try NamedQueryTrial(timeLimit: .seconds(5))
        do throws(NamedQueryTrial.Failure) {
            _ = try trial.query(name: name, text: text)
            return []
        } catch { return error.problems }
    }

    @Test func `a file without comments is kept until events are written, or a minute`() throws {
        let still = try query("SELECT count(*) FROM events")
        #expect(still.policy == .untilWrite && still.lifetime == .seconds(3600))
        #expect(still.rowLimit == 1000 && still.timeout == nil)
        let moving = try query("SELECT count(*) FROM events WHERE time > :now - 1000")
        #expect(moving.dependsOnTime && moving.lifetime == .seconds(60))
        let timed = try query("-- ttl: 500ms\nSELECT count(*) FROM events")
        #expect(timed.policy == .ttl && timed.lifetime == .milliseconds(500))
    }

    @Test func `comments of another form, and after the SQL, say nothing`() throws {
        let found = try query(
            """
            --
            -- Written by hand, see: the wiki
              -- description: A question\r
            -- Note: this is none

            SELECT 1 AS a -- param: x nonsense
            """)
        #expect(found.description == "A question" && found.parameters.isEmpty)
    }

    @Test func `comments in front are read behind a mark, blocks and each other`() throws {
        for front in ["\u{FEFF}", "/* pages\nteam */", "\u{FEFF}/**/ -- by hand\n\n /* a */"] {
            let found = try query("\(front)-- ttl: 30s\r\n/* b */ -- max_rows: 5\nSELECT 1 AS a")
            #expect(found.ttl == .seconds(30) && found.rowLimit == 5, "\(front)")
        }
        #expect(try query("-- ttl: 30s\nSELECT 1 AS a;\n-- end of file\n").ttl == .seconds(30))
    }

    @Test func `what looks like a setting after the SQL has begun is a problem`() throws {
        #expect(
            try problems("SELECT 1 AS a\n  -- ttl: 30s\nFROM events\n-- max_rows: 5")
                == [
                    "line 2: `-- ttl:` must stand before the SQL",
                    "line 4: `-- max_rows:` must stand before the SQL",
                ])
        #expect(try problems("SELECT 1 AS a -- ttl: 30s\n-- note: this is none").isEmpty)
        #expect(try problems("SELECT '\n-- ttl: 30s' AS a").isEmpty)
    }

    @Test(arguments: [
        ("SELECT current_timestamp AS a", true), ("SELECT CURRENT_DATE AS a", true),
        ("SELECT unixepoch() AS a", true), ("SELECT date('now', '-7 days') AS a", true),
        ("SELECT strftime('%s') AS a", true), ("SELECT random() AS a", true),
        ("SELECT hex(randomblob(4)) AS a", true), ("SELECT julianday ( ) AS a", true),
        ("SELECT date(unixepoch(), 'unixepoch') AS a", true), ("SELECT :now AS a", true),
        ("SELECT date(time / 1000, 'unixepoch') AS day FROM events", false),
        ("SELECT strftime('%H', (time) / 1000, 'unixepoch') AS hour FROM events", false),
        ("SELECT time, id FROM events ORDER BY time", false), ("SELECT 'random()' AS a", false),
    ])
    func `an answer moves with the clock and with chance`(_ sql: String, _ isMoving: Bool) throws {
        #expect(try query(sql).dependsOnTime == isMoving)
    }

    @Test(arguments: [
        ("days integer", NamedParameter.Kind.integer, NamedParameter.Bounds.any, nil, false),
        ("days integer = 7 [1..90]", .integer, .integers(1...90), "7", false),
        ("days integer=7[1..90]", .integer, .integers(1...90), "7", false),
        ("days integer [-5..5] optional", .integer, .integers(-5...5), nil, true),
        ("r real = 0.5 [0..1.5]", .real, .reals(0...1.5), "0.5", false),
        ("t text = \"a b\" [a b|c]", .text, .choices(["a b", "c"]), "a b", false),
        ("t text optional [c]", .text, .choices(["c"]), nil, true),
        ("t time = -7d", .time, .any, "-7d", false),
        ("b boolean = true", .boolean, .any, "true", false),
    ])
    func `a declaration is read`(
        _ text: String, _ kind: NamedParameter.Kind, _ bounds: NamedParameter.Bounds,
        _ standard: String?, _ isOptional: Bool
    ) throws {
        let parameter = try NamedParameter(declaration: text)
        #expect(parameter.kind == kind && parameter.bounds == bounds)
        #expect(parameter.standard == standard && parameter.isOptional == isOptional)
    }

    @Test(arguments: [
        "", "days", "days number", "1x integer", "days integer = 7 optional", "days integer = x",
        "days integer = 91 [1..90]", "days integer [9..1]", "days integer [a|b]",
        "b boolean [1..2]",
        "t text = c [a|b]", "format text", "now integer", "days integer whatever", "t text = \"a",
        "days integer [1..", "days-x integer",
    ])
    func `a declaration that is wrong is refused`(text: String) {
        #expect(throws: NamedParameter.Fault.self) { try NamedParameter(declaration: text) }
    }

    @Test(arguments: [
        ("-- tttl: 1s\nSELECT 1", "line 1: there is no key tttl"),
        ("-- description: a\n-- ttl: 0s\nSELECT 1", "line 2: ttl is a duration"),
        ("-- policy: never\nSELECT 1", "line 1: policy is ttl or until_write"),
        ("-- policy: ttl\nSELECT 1", "policy ttl needs a ttl"),
        ("-- timeout: 6s\nSELECT 1", "timeout is longer than --query-timeout"),
        ("-- max_rows: 10001\nSELECT 1", "line 1: max_rows is 1 to 10000"),
        ("SELECT :a", ":a is not declared"), ("SELECT ?", "parameters are written as :name"),
        ("-- param: a integer\nSELECT 1", "the SQL does not use the parameter a"),
        ("-- param: a integer\n-- param: a text\nSELECT :a", "line 2: there are two parameters"),
        ("SELECT 1\nFROM nowhere", "no such table: nowhere"),
        ("SELECT 1\nFROM events\nWHERE gone", "line 3: no such column: gone"),
        ("SELECT 1; SELECT 2", "line 1: only one statement"),
        ("-- nothing", "there is no statement"),
        ("SELECT value FROM meta", "line 1: access to meta.value is prohibited"),
        ("DELETE FROM event_rows", "line 1: not authorized"),
    ])
    func `a file that is wrong says where`(text: String, problem: String) throws {
        let found = try problems(text)
        #expect(found.contains { $0.hasPrefix(problem) }, "\(found)")
    }

    @Test(arguments: ["", ".a", "-a", "a b", "a/b", String(repeating: "a", count: 64)])
    func `a name that is no part of a path is refused`(name: String) throws {
        #expect(try problems("SELECT 1", name: name).count == 1)
    }

    @Test func `a value is the same question however it is written, and another one is not`() throws
    {
        let file = try query("-- param: a integer = 7\n-- param: t text optional\nSELECT :a, :t")
        func key(_ text: String) throws -> String {
            try NamedCall(file, pairs(text), format: .json).cacheKey.text
        }
        #expect(try key("") == key("a=7") && key("a=7.0") == key("a=7"))
        #expect(try key("a=8") != key("a=7") && key("t=n") != key(""))
        #expect(try key("format=csv") != key("") && key("shape=objects") != key(""))
        #expect(try key("format=csv&shape=objects") == key("format=csv"))
    }
}
