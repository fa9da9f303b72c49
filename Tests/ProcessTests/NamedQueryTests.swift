internal import Glibc
import Primitives
import TestSupport
import Testing

/// Named queries: files of a folder, through the front door.
@Suite(.processes) struct NamedQueryTests {
    private let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory() }

    private static let pages = """
        -- description: Most requested pages
        -- param: days integer = 7 [1..90]
        -- param: status integer optional
        -- ttl: 30s
        -- stale_while_revalidate: 5m
        -- policy: ttl
        -- timeout: 2s
        -- max_rows: 2
        SELECT json_extract(data,'$.path') AS path, count(*) AS views FROM events
        WHERE time >= :now - :days*86400000
            AND (:status IS NULL OR json_extract(data,'$.status') = :status)
        GROUP BY path ORDER BY views DESC, path
        """

    private func start(
        _ files: [String: String], _ arguments: [String] = []
    ) throws -> RunningService {
        for (name, text) in files { try folder.write(name, text) }
        return try RunningService.start(["--queries-dir", folder.path] + arguments)
    }

    private func store(_ service: RunningService, _ lines: [String]) throws {
        let reply = try service.post("/events?ack=stored", lines: lines)
        guard reply.status == 200 else { throw TestError("not stored: \(reply.text)") }
    }

    @Test func `a file is a query with typed parameters and a catalogue`() throws {
        let service = try start(["pages.sql": NamedQueryTests.pages, "notes.txt": "no query"])
        try store(
            service,
            ["/a", "/a", "/b", "/c"].enumerated().map {
                #"{"type":"r","data":{"path":"\#($1)","status":\#(200 + $0)}}"#
            } + [#"{"type":"r","time":"2020-01-01T00:00:00Z","data":{"path":"/old","status":1}}"#])
        let reply = try service.get("/query/named/pages")
        #expect(
            reply.text
                == #"{"columns":[{"name":"path","type":"text"},{"name":"views","type":"integer"}],"#
                + #""rows":[["/a",2],["/b",1]],"row_count":2,"truncated":true,"next":null}"#)
        #expect(reply.header("X-Truncated") == "true")
        #expect(
            reply.header("Cache-Control") == "private, max-age=30, stale-while-revalidate=300")
        #expect(reply.header("ETag") != nil)
        #expect(
            try service.get("/query/named/pages?status=202&format=csv").text
                == "path,views\r\n/b,1\r\n")
        let posted = try service.post("/query/named/pages", json: #"{"days":1,"status":203}"#)
        #expect(try posted.json()["rows"]?[0]?[0]?.string == "/c", "\(posted.text)")
        let listed = try service.get("/query/named").json()["queries"]
        #expect(listed?.elements.count == 1)
        let query = listed?[0]
        #expect(query?["name"]?.string == "pages")
        #expect(query?["description"]?.string == "Most requested pages")
        #expect(query?["parameters"]?[0]?["maximum"]?.integer == 90)
        #expect(query?["parameters"]?[0]?["default"]?.string == "7")
        #expect(query?["parameters"]?[1]?["required"]?.bool == false)
        #expect(query?["ttl_ms"]?.integer == 30_000 && query?["max_rows"]?.integer == 2)
    }

    @Test func `an answer of chance is as stale as it is old`() throws {
        let service = try start([
            "lots.sql": "SELECT hex(randomblob(8)) AS lot", "still.sql": "SELECT 1 AS one",
        ])
        try store(service, [#"{"type":"r"}"#])
        let first = try service.get("/query/named/lots").text
        #expect(try service.get("/query/named/lots").text == first)
        #expect(try service.get("/query/named/lots?max_stale=3600").text == first)
        let fresh = try service.get("/query/named/lots?max_stale=0").text
        #expect(fresh != first && fresh.contains("lot"))
        let next = try service.get("/query/named/lots?max_stale=0").text
        #expect(next != fresh)
        try service.wait(until: "the answer is too old for this caller") {
            try service.get("/query/named/lots?max_stale=1").text != next
        }
        let listed = try service.get("/query/named").json()["queries"]
        #expect(listed?.elements.compactMap { $0["ttl_ms"]?.integer } == [60_000, 3_600_000])
    }

    @Test func `a parameter that is wrong in any way is a 400 that names it`() throws {
        let service = try start([
            "q.sql": """
            -- param: i integer [1..90]
            -- param: r real = 0.5 [0..1]
            -- param: plan text = "pro" [free|pro]
            -- param: since time = -7d
            -- param: flag boolean = false
            SELECT :i AS i, :r AS r, :plan AS plan, :since AS since, :flag AS flag
            """
        ])
        let row = try service.get("/query/named/q?i=90&since=2026-01-01&flag=true").json()["rows"]?[
            0]
        #expect(
            row?.elements == [
                .integer(90), .real(0.5), .string("pro"), .integer(1_767_225_600_000), .integer(1),
            ])
        for (query, code, parameter) in [
            ("", "missing_parameter", "i"), ("i=0", "invalid_parameter", "i"),
            ("i=91", "invalid_parameter", "i"), ("i=x", "invalid_parameter", "i"),
            ("i=1.5", "invalid_parameter", "i"), ("i=1&i=2", "repeated_parameter", "i"),
            ("i=1&r=2", "invalid_parameter", "r"), ("i=1&r=nan", "invalid_parameter", "r"),
            ("i=1&plan=team", "invalid_parameter", "plan"),
            ("i=1&since=soon", "invalid_parameter", "since"),
            ("i=1&flag=maybe", "invalid_parameter", "flag"), ("i=1&j=2", "unknown_parameter", "j"),
            ("i=1&format=xml", "invalid_parameter", "format"),
            ("i=1&max_stale=-1", "invalid_parameter", "max_stale"),
            ("i=1%27%20OR%201=1", "invalid_parameter", "i"),
        ] {
            let problem = try service.get("/query/named/q?\(query)").json()
            #expect(problem["status"]?.integer == 400, "\(query)")
            #expect(problem["code"]?.string == code, "\(query)")
            #expect(problem["parameter"]?.string == parameter, "\(query)")
        }
        #expect(try service.get("/query/named/other?i=1").status == 404)
        #expect(try service.get("/query/named/..%2Fq?i=1").status == 404)
    }

    @Test func `a changed file is read again, and a broken one leaves the last good one`() throws {
        let service = try start(["a.sql": "SELECT 1 AS one", "b.sql": "SELECT 1 FROM nowhere"])
        #expect(try service.get("/query/named/a").text.contains("\"one\""))
        let broken = try service.get("/query/named/b")
        #expect(broken.status == 503 && broken.header("Retry-After") != nil)
        #expect(try broken.json()["code"]?.string == "query_broken")
        func problems() throws -> [JSONTree] {
            try service.get("/status").json()["named_queries"]?["problems"]?.elements ?? []
        }
        #expect(try problems().first?["error"]?.string?.contains("no such table") == true)

        try folder.write("a.sql", "SELECT 2 AS two")
        try folder.write("b.sql", "-- ttl: soon\nSELECT 1")
        try service.wait(until: "the change is seen") {
            try service.get("/query/named/a").text.contains("\"two\"")
        }
        try service.wait(until: "the new mistake is seen") {
            try problems().first?["error"]?.string?.hasPrefix("line 1: ttl is a duration") == true
        }
        try folder.write("a.sql", "SELECT :undeclared AS x")
        try service.wait(until: "the broken file is seen") { try problems().count == 2 }
        #expect(try service.get("/query/named/a").text.contains("\"two\""))
        #expect(try service.get("/query/named").json()["queries"]?[0]?["outdated"]?.bool == true)
        let metrics = try service.get("/metrics").text
        #expect(metrics.contains("millrace_named_queries 1\n"))
        #expect(metrics.contains("millrace_named_queries_broken 2\n"))
        try service.wait(until: "it is in the log") {
            service.records.contains {
                $0["message"]?.string == "the file of a named query cannot be used"
                    && $0["query"]?.string == "a" && $0["serves"]?.string == "the file before it"
            }
        }

        try folder.write("b.sql", "SELECT 3 AS three")
        unlink(folder.file("a.sql"))
        try service.wait(until: "the mended file serves and the other is gone") {
            try service.get("/query/named/b").status == 200
                && service.get("/query/named/a").status == 404
        }
        #expect(try problems().isEmpty)
    }

    @Test func `answers are kept by the policy, and purged by the query's name`() throws {
        let service = try start([
            "timed.sql": "-- ttl: 1h\nSELECT count(*) AS n FROM events",
            "written.sql": "-- policy: until_write\nSELECT count(*) AS n FROM events",
        ])
        func ask(_ name: String, _ more: String = "") throws -> (count: Int?, status: String) {
            let reply = try service.get("/query/named/\(name)\(more)")
            return (try reply.json()["rows"]?[0]?[0]?.integer, reply.header("Cache-Status") ?? "")
        }
        try store(service, [#"{"type":"t"}"#])
        for name in ["timed", "written"] {
            #expect(try ask(name) == (1, "memory; fwd=uri-miss; stored"))
            #expect(try ask(name).status.hasPrefix("memory; hit"))
        }
        try store(service, [#"{"type":"t"}"#])
        // Whoever was told that it is stored finds it, unless the file says that time decides.
        #expect(try ask("written").count == 2)
        #expect(try ask("timed").count == 1)
        #expect(try ask("timed", "?max_stale=0").count == 2)
        try store(service, [#"{"type":"t"}"#])
        #expect(try ask("timed", "?cache=bypass").count == 3)
        #expect(try ask("timed").count == 2)
        let purged = try service.request("DELETE", "/admin/cache?tag=timed")
        #expect(try purged.json()["removed"]?.integer ?? 0 >= 1)
        #expect(try ask("timed") == (3, "memory; fwd=uri-miss; stored"))
        try store(service, [#"{"type":"t"}"#])
        try service.wait(until: "the answer is too old for this caller") {
            try ask("timed", "?max_stale=1").count == 4
        }
        let limited = try service.get("/query/named/timed?max_stale=60")
        #expect(limited.header("Cache-Control") == "private, max-age=60")
        #expect(try service.get("/query/named/timed?cache=only&format=csv").status == 504)
    }

    @Test func `what is stored is found whatever stale period the file gives`() throws {
        let service = try start([
            "kept.sql": """
            -- policy: until_write
            -- stale_while_revalidate: 5m
            SELECT count(*) AS n FROM events
            """
        ])
        for count in 1...3 {
            try store(service, [#"{"type":"t"}"#])
            #expect(
                try service.get("/query/named/kept?format=csv").text == "n\r\n\(count)\r\n")
        }
        // Nobody was told that this one is stored, so the old answer is given until there is a new one.
        #expect(try service.post("/events?ack=journaled", lines: [#"{"type":"t"}"#]).status < 300)
        try service.wait(until: "the new answer is there") {
            try service.get("/query/named/kept?format=csv").text == "n\r\n4\r\n"
        }
    }

    @Test func `a query that takes too long, or fails with its values, says so`() throws {
        let service = try start([
            "slow.sql":
                "-- timeout: 200ms\nWITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 "
                + "FROM c) SELECT count(*) AS n FROM c",
            "fails.sql": "-- param: t text\nSELECT json_extract(:t, '$.a') AS a",
        ])
        let start = MonotonicTime.now()
        let slow = try service.get("/query/named/slow")
        #expect(slow.status == 503)
        #expect(try slow.json()["code"]?.string == "query_timeout")
        #expect(MonotonicTime.now().since(start) < .milliseconds(1200) * slowness)
        let fails = try service.get("/query/named/fails?t=%7B")
        #expect(fails.status == 422)
        #expect(try fails.json()["code"]?.string == "query_failed")
        #expect(fails.text.contains("malformed JSON"))
    }

    @Test func `keys are bound to named queries, and keys of types get those alone that name them`()
        throws
    {
        try folder.write("a.sql", "SELECT 1 AS a")
        try folder.write("b.sql", "SELECT 1 AS b")
        let named = PlantedKey(
            "exact", PlantedKey.exact.hash, scope: "query", "queries: [a]")
        let typed = PlantedKey("bound", PlantedKey.bound.hash, scope: "query", "types: [t]")
        let keyed = try KeyedService(
            [PlantedKey.query, named, typed], ["--queries-dir", folder.path])
        #expect(try keyed.get("/query/named/b", .query).status == 200)
        #expect(try keyed.get("/query/named/a", named).status == 200)
        for (target, key) in [
            ("/query/named/b", named), ("/query/named/c", named), ("/query?metric=count", named),
            ("/query/named/a", typed),
        ] {
            let reply = try keyed.get(target, key)
            #expect(reply.status == 403, "\(target) \(key.name)")
            #expect(try reply.json()["code"]?.string == "query_not_allowed")
        }
        let listed = try keyed.get("/query/named", named).json()["queries"]
        #expect(listed?.elements.compactMap { $0["name"]?.string } == ["a"])
    }

    @Test func `check compiles every file, and a folder that is not there is no start`() throws {
        try folder.write("good.sql", NamedQueryTests.pages)
        func check() throws -> (ending: ProcessEnding?, said: String) {
            let output = folder.file("check.txt")
            let run = try ChildProcess(
                [
                    try MillraceBinary.path(), "check", "--data-dir", folder.file("data"),
                    "--queries-dir", folder.path,
                ], output: output, errors: output)
            return (run.exit(within: .seconds(60)), FileSystem.text(output))
        }
        let good = try check()
        #expect(good.ending == .exited(0) && good.said.contains("1 named queries compile"))
        try folder.write("bad.sql", "SELECT 1;\nSELECT 2")
        try folder.write("worse.sql", "-- param: x integer\nSELECT raw FROM quarantine")
        let bad = try check()
        #expect(bad.ending == .exited(1))
        #expect(
            bad.said.contains("failed  queries: bad.sql: line 2: only one statement"), "\(bad.said)"
        )
        #expect(bad.said.contains("failed  queries: worse.sql: line 2: access to quarantine.raw"))
        #expect(throws: TestError.self) {
            try RunningService.start(["--queries-dir", folder.file("absent")])
        }
    }
}
