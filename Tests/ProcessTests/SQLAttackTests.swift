internal import Glibc
import Primitives
import TestSupport
import Testing

/// SQL that wants more than it may have: each is refused, or stopped at its deadline, and others do
/// not notice.
@Suite(.processes) struct SQLAttackTests {
    private static let refused = [
        "INSERT INTO event_rows(time) VALUES (1)", "INSERT INTO events(id) VALUES ('a')",
        "UPDATE event_rows SET time = 0", "UPDATE events SET id = 'a'", "DELETE FROM event_rows",
        "DELETE FROM events", "DROP TABLE event_rows", "DROP VIEW events", "CREATE TABLE a(b)",
        "CREATE TEMP TABLE a(b)", "CREATE TEMP VIEW a AS SELECT 1",
        "CREATE INDEX a ON event_rows(id)",
        "CREATE TRIGGER a AFTER INSERT ON event_rows BEGIN SELECT 1; END",
        "CREATE VIRTUAL TABLE a USING fts5(b)", "ALTER TABLE event_rows RENAME TO a",
        "ATTACH '/etc/passwd' AS a", "ATTACH ':memory:' AS a", "DETACH main", "PRAGMA user_version",
        "PRAGMA query_only = 0", "PRAGMA writable_schema = 1", "VACUUM",
        "VACUUM INTO '/tmp/stolen.db'",
        "REINDEX", "ANALYZE", "BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT a", "EXPLAIN SELECT 1",
        "EXPLAIN QUERY PLAN SELECT 1", "SELECT 1; SELECT 2", "SELECT 1; DROP TABLE event_rows", "",
        "-- nothing", "SELECT load_extension('a')", "SELECT readfile('/etc/passwd')",
        "SELECT writefile('/tmp/a', 'b')", "SELECT fts3_tokenizer('simple')", "SELECT edit('a')",
        "SELECT sqlite_source_id()", "SELECT sqlite_compileoption_get(0)",
        "SELECT last_insert_rowid()",
        "SELECT * FROM event_rows", "SELECT * FROM main.events", "SELECT * FROM main.event_rows",
        "SELECT key FROM (SELECT * FROM event_rows)", "SELECT value FROM meta",
        "SELECT count(*) FROM meta", "SELECT * FROM quarantine", "SELECT raw FROM main.quarantine",
        "SELECT count(*) FROM quarantine", "SELECT event FROM dead_letters",
        "SELECT * FROM sqlite_schema", "SELECT sql FROM sqlite_temp_master",
        "SELECT count(*) FROM sqlite_master", "SELECT * FROM pragma_table_info('event_rows')",
        "SELECT * FROM pragma_database_list", "SELECT * FROM sqlite_dbpage",
        "SELECT * FROM dbstat", "SELECT * FROM bytecode('SELECT 1')",
        "WITH events AS (SELECT * FROM event_rows) SELECT * FROM events",
        "WITH events AS (SELECT value FROM meta) SELECT * FROM events",
        "WITH events(a) AS (SELECT raw FROM quarantine) SELECT a FROM events",
        "SELECT (SELECT value FROM meta LIMIT 1)", "SELECT 1 WHERE EXISTS (SELECT value FROM meta)",
        "SELECT json_patch('{}', '{}')", "SELECT randomblob(1000000000)",
        "SELECT zeroblob(1000000000)", "SELECT hex(zeroblob(400000))",
        "SELECT replace(hex(zeroblob(100000)), '0', '0000000')",
        "SELECT 'a' LIKE '\(String(repeating: "%a", count: 100))'",
        "SELECT 'a' GLOB '\(String(repeating: "*a", count: 100))'",
        "SELECT trim('a', hex(zeroblob(1000)))", "SELECT \(String(repeating: "(", count: 200))1",
        "SELECT \(String(repeating: "-", count: 500))1",
        "SELECT \((0..<200).map { "\($0) AS a\($0)" }.joined(separator: ", "))",
        (0..<50).map { "SELECT \($0)" }.joined(separator: " UNION "),
        "SELECT max(\((0..<100).map { "\($0)" }.joined(separator: ", ")))",
        "SELECT \((0..<150).map { ":a\($0)" }.joined(separator: " + "))",
        "SELECT '\(String(repeating: "a", count: 70_000))'", doubling(40), doublingBackwards(40),
        chain(1500), nested(20),
    ]

    /// Each table names the one before twice: a trillion copies.
    private static func doubling(_ count: Int) -> String {
        "WITH t0 AS (SELECT 1), "
            + (1...count).map { "t\($0) AS (SELECT 1 FROM t\($0 - 1), t\($0 - 1))" }
            .joined(separator: ", ") + " SELECT count(*) FROM t\(count)"
    }

    private static func doublingBackwards(_ count: Int) -> String {
        "WITH "
            + (1...count).reversed().map { "t\($0) AS (SELECT 1 FROM t\($0 - 1), \"t\($0 - 1)\")" }
            .joined(separator: ", ") + ", t0 AS (SELECT 1) SELECT count(*) FROM t\(count)"
    }

    /// Each table lies within the next: as many frames of the stack.
    private static func chain(_ count: Int) -> String {
        "WITH t0 AS (SELECT 1 AS a), "
            + (1...count).map { "t\($0) AS (SELECT a FROM t\($0 - 1))" }.joined(separator: ", ")
            + " SELECT a FROM t\(count)"
    }

    /// Tables within each other, of two names in turn.
    private static func nested(_ count: Int) -> String {
        (0..<count).reduce("SELECT 1") { inner, level in
            let name = level.isMultiple(of: 2) ? "a" : "b"
            return "WITH \(name) AS (\(inner)) SELECT 1 FROM \(name), \(name)"
        }
    }

    private static let counter =
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) "
    /// They would go on for ever, or for minutes.
    private static let endless = [
        counter + "SELECT count(*) FROM c", counter + "SELECT max(x) FROM c",
        counter + "SELECT x FROM c ORDER BY x DESC",
        counter + "SELECT count(DISTINCT random()) FROM c",
        counter + "SELECT x, count(*) FROM c GROUP BY x",
        "SELECT count(*) FROM events a, events b, events c, events d",
        "SELECT count(*) FROM \((0..<20).map { "events e\($0)" }.joined(separator: ", "))",
        "SELECT sum(length(a.data || b.data)) FROM events a, events b, events c",
        counter + "SELECT max(hex(randomblob(100000))) FROM c",
        counter + "SELECT group_concat(hex(randomblob(1000))) FROM c WHERE x % 200 > 200",
        // Products of two lengths, in one call.
        counter + "SELECT max(instr(a, b)) FROM c, "
            + "(SELECT hex(zeroblob(100000)) AS a, hex(zeroblob(50000)) || '1' AS b)",
        counter + "SELECT max(a LIKE b) FROM c, (SELECT hex(zeroblob(150000)) AS a, "
            + "'%' || substr(hex(zeroblob(60)), 1, 110) || '1' AS b)",
        counter + "SELECT max(length(replace(a, b, ''))) FROM c, "
            + "(SELECT hex(zeroblob(100000)) AS a, hex(zeroblob(50000)) || '1' AS b)",
        counter + "SELECT max(length(trim(a, '123456789abcdefghijklmnopqrstuvwxyz0'))) FROM c, "
            + "(SELECT hex(zeroblob(150000)) AS a)",
        counter + "SELECT max(json_array_length(a)) FROM c, "
            + "(SELECT '[' || replace(hex(zeroblob(70000)), '0', '1,') || '1]' AS a)",
        "SELECT count(*) FROM events a WHERE (SELECT count(*) FROM events b, events c "
            + "WHERE b.data LIKE '%' || a.id || '%') > 0",
    ]

    @Test func `what it must not do is refused at once, with the reason`() throws {
        let service = try RunningService.start(["--enable-sql"])
        try service.storeNumbers(100)
        var worst = Duration.zero
        for statement in SQLAttackTests.refused {
            let start = MonotonicTime.now()
            let reply = try service.sql(statement)
            let took = MonotonicTime.now().since(start)
            #expect(
                [400, 413, 422].contains(reply.status),
                "\(statement.prefix(100)): \(reply.text.prefix(200))")
            let problem = try reply.json()
            #expect(
                [
                    "sql_not_allowed", "invalid_sql", "sql_too_complex", "query_too_large",
                    "missing_parameter", "body_too_large",
                ].contains(problem["code"]?.string),
                "\(statement.prefix(100)): \(reply.text.prefix(200))")
            #expect(took < .seconds(5) * slowness, "\(statement.prefix(100)): \(took)")
            worst = max(worst, took)
            // Where it is, if it is about a place and not about a size.
            if problem["code"]?.string == "sql_not_allowed" {
                let offset = problem["offset"]?.integer ?? -1
                #expect(
                    (0..<statement.utf8.count).contains(offset),
                    "\(statement.prefix(100)): \(reply.text.prefix(200))")
            }
        }
        print(
            "\(SQLAttackTests.refused.count) refused, the last after \(worst.wholeMilliseconds) ms")
        #expect(try service.sqlRows("SELECT count(*) FROM events") == [[.integer(100)]])
        #expect(try service.get("/query?metric=count").json()["rows"]?[0]?[0]?.integer == 100)
        #expect(try service.terminate() == .exited(0))
    }

    @Test func `a refusal says at which byte`() throws {
        let service = try RunningService.start(["--enable-sql"])
        for (statement, offset) in [
            ("SELECT 1; DROP TABLE event_rows", 10),
            ("SELECT id, load_extension('a') FROM events", 11), ("SELECT 1 FROM events, Meta", 22),
            ("  PRAGMA user_version", 9), ("ATTACH 'x.db' AS a", 7),
            ("SELECT id FROM event_rows", 15), (" EXPLAIN SELECT 1", 1),
            ("SELECT a FROM events", 7), ("WITH c AS (SELECT 1) DELETE FROM event_rows", 33),
        ] {
            let reply = try service.sql(statement)
            #expect(reply.status == 400, "\(statement)")
            #expect(try reply.json()["offset"]?.integer == offset, "\(statement): \(reply.text)")
        }
    }

    @Test func `what would go on for ever ends at its deadline, and others do not notice`() throws {
        let limit = Duration.milliseconds(500) * slowness
        let service = try RunningService.start([
            "--enable-sql", "--query-timeout", "\(limit.wholeMilliseconds)ms",
        ])
        try service.storeNumbers(20_000)
        let question = "/query?metric=count&cache=bypass"
        let alone = SteadyLoad(on: service, perSecond: 100, clients: 4) { _ in question }
        sleep(until: .after(.seconds(1)))
        try alone.stop()
        let others = SteadyLoad(on: service, perSecond: 100, clients: 4) { _ in question }
        var worst = Duration.zero
        for statement in SQLAttackTests.endless {
            let start = MonotonicTime.now()
            let reply = try service.sql(statement)
            let took = MonotonicTime.now().since(start)
            let code = try reply.json()["code"]?.string
            #expect(code == "query_timeout", "\(statement): \(reply.text.prefix(200))")
            #expect(reply.header("Retry-After") != nil)
            #expect(took < limit + .seconds(2) * slowness, "\(statement): \(took)")
            print("\(took.wholeMilliseconds) ms  \(statement.prefix(90))")
            worst = max(worst, took)
        }
        try others.stop()
        print(
            "deadline \(limit.wholeMilliseconds) ms, the last ended after "
                + "\(worst.wholeMilliseconds) ms\nothers alone: \(alone.times)\n"
                + "others beside it: \(others.times)")
        #expect(others.times.p99 < .seconds(1) * slowness)
        if MillraceBinary.isSanitized != true { #expect(service.residentBytes < 500 << 20) }
        #expect(try service.terminate() == .exited(0))
    }

    @Test func `a statement ends when its client leaves`() throws {
        let service = try RunningService.start(["--enable-sql", "--query-timeout", "60s"])
        let text =
            "/query/sql?q=" + SQLAttackTests.counter.replacingSpaces
            + "SELECT%20count(*)%20FROM%20c"
        for _ in 0..<3 {
            let wire = try service.connect()
            try wire.send("GET", text)
            usleep(100_000)
        }
        // All three have gone, and whoever comes next gets a worker at once.
        let start = MonotonicTime.now()
        #expect(try service.sqlRows("SELECT 1") == [[.integer(1)]])
        #expect(MonotonicTime.now().since(start) < .seconds(10) * slowness)
    }
}

extension String {
    fileprivate var replacingSpaces: String {
        split(separator: " ", omittingEmptySubsequences: false).joined(separator: "%20")
    }
}
