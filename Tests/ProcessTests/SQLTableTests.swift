import Primitives
import TestSupport
import Testing

/// The tables `rollups` and `logs` of ad-hoc SQL.
@Suite(.processes) struct SQLTableTests {
    private static let declarations = """
        rollups:
          - name: pages
            event: page
            interval: 1h
            group_by: [path, type]
            metrics: [count, avg:ms, max:ms, uniq:user, p95:ms]
          - name: all
            interval: 1d
            metrics: [sum:ms]
          - name: tight
            event: page
            interval: 1d
            group_by: [user]
            metrics: [count]
            max_groups: 2
        """

    // 2026-01-01T00:00:00Z
    private static let start: Int64 = 1_767_225_600_000
    private static let day: Int64 = 86_400_000

    private func withRollups() throws -> (RunningService, TemporaryDirectory) {
        let folder = try TemporaryDirectory()
        try folder.write("millrace.yaml", Self.declarations)
        let service = try RunningService.start([
            "--enable-sql", "--config", folder.file("millrace.yaml"),
        ])
        let lines = (0..<600).map { index in
            let time = Timestamp.format(Self.start + Int64(index) * 61_000)
            return #"{"type":"page","time":"\#(time)","path":"/\#(index % 3)","#
                + #""ms":\#(index % 100).25,"user":"u\#(index % 50)"}"#
        }
        let reply = try service.post("/events?ack=stored", lines: lines)
        guard reply.status == 200 else { throw TestError("not stored: \(reply.text)") }
        return (service, folder)
    }

    @Test func `rollups have a row for each group and bucket, with what questions answer`() throws {
        let (service, folder) = try withRollups()
        defer { withExtendedLifetime(folder) {} }
        let columns = try service.sql("SELECT * FROM rollups LIMIT 1").json()["columns"]
        #expect(
            columns?.elements.compactMap { $0["name"]?.string }
                == ["name", "time", "groups", "count", "metrics", "stale"])
        let rows = try service.sqlRows(
            """
            SELECT time, groups ->> 'path', groups ->> 'type', count, metrics ->> 'avg:ms',
                metrics ->> 'max:ms', metrics ->> 'uniq:user', metrics ->> 'p95:ms', stale
            FROM rollups WHERE name = 'pages' ORDER BY 1, 2
            """)
        let asked = try service.get(
            "/query?metric=count,avg:ms,max:ms,uniq:user,p95:ms&event=page&interval=1h"
                + "&group_by=path,type&from=2026-01-01&order=time,path"
        ).json()
        #expect(rows.count == 33 && rows.count == asked["row_count"]?.integer)
        for (row, answer) in zip(rows, asked["rows"]?.elements ?? []) {
            let time = try #require(answer[0]?.string.flatMap { Timestamp.parse($0) })
            #expect(row[0] == .integer(Int(time)))
            for (mine, theirs) in zip(row[1...7], answer.elements[1...7]) {
                #expect(isEqual(mine, theirs), "\(row) \(answer)")
            }
            #expect(row[8] == .integer(0))
        }
        #expect(
            try service.sqlRows(
                "SELECT count(*), sum(count) FROM rollups WHERE name = 'pages' AND time >= :t",
                #","p.t":\#(Self.start + 5 * 3_600_000)"#) == [[.integer(18), .integer(304)]])
        #expect(
            try service.sqlRows("SELECT name, groups, count FROM rollups WHERE name = 'tight'")
                == [
                    [.string("tight"), .string(#"{"user":"u0"}"#), .integer(12)],
                    [.string("tight"), .string(#"{"user":"u1"}"#), .integer(12)],
                    [.string("tight"), .null, .integer(576)],
                ])
        #expect(
            try service.sqlRows(
                "SELECT groups, json_type(metrics, '$.\"sum:ms\"') FROM rollups "
                    + "WHERE name = 'all'") == [[.string("{}"), .string("real")]])
        // A join with the events that they were counted from.
        #expect(
            try service.sqlRows(
                """
                SELECT r.count = (SELECT count(*) FROM events WHERE type = 'page')
                FROM rollups r WHERE r.name = 'all'
                """) == [[.integer(1)]])
        #expect(try service.terminate() == .exited(0))
    }

    /// SQLite reads reals of JSON to within their last bit.
    private func isEqual(_ a: JSONTree, _ b: JSONTree) -> Bool {
        guard let a = a.number, let b = b.number else { return a == b }
        return abs(a - b) <= abs(b) * 1e-15
    }

    @Test func `logs of every day are read, newest first, and by time, service and trace`() throws {
        let service = try RunningService.start([
            "--enable-sql", "--logs-retention", "36500d",
        ])
        let trace = "0af7651916cd43dd8448eb211c80319c"
        // More days than SQLite could attach files.
        let lines = (0..<280).map { index in
            let time = Timestamp.format(Self.start + Int64(index) * Self.day / 20)
            let more = index == 77 ? #","trace_id":"\#(trace)","span_id":"b7ad6b7169203331""# : ""
            return #"{"time":"\#(time)","level":"\#(index % 10 == 0 ? "error" : "info")","#
                + #""service":"\#(index % 2 == 0 ? "shop" : "mail")","message":"m\#(index)","#
                + #""order":\#(index)\#(more)}"#
        }
        #expect(try service.post("/logs", lines: lines).status == 202)
        try service.waitUntilLogsAreStored()
        let columns = try service.sql("SELECT * FROM logs LIMIT 1").json()["columns"]
        #expect(
            columns?.elements.compactMap { $0["name"]?.string } == [
                "id", "time", "level", "severity", "severity_text", "service", "message",
                "trace_id", "span_id", "event_name", "attributes", "resource", "scope",
            ])
        func numbers(_ condition: String) throws -> [Int] {
            try service.sqlRows(
                "SELECT attributes ->> 'order' FROM logs WHERE \(condition) ORDER BY time"
            ).compactMap { $0.first?.integer }
        }
        #expect(try service.sqlRows("SELECT count(*) FROM logs") == [[.integer(280)]])
        #expect(
            try service.sqlRows("SELECT count(DISTINCT time / \(Self.day)) FROM logs")
                == [[.integer(14)]])
        let (from, to) = (Self.start + Self.day, Self.start + 2 * Self.day)
        #expect(try numbers("time >= \(from) AND time < \(to)") == Array(20..<40))
        #expect(try numbers("time BETWEEN \(from) AND \(to)") == Array(20...40))
        #expect(try numbers("time > \(from) - 0.5 AND time <= \(to) + 0.5") == Array(20...40))
        #expect(try numbers("time = \(from)") == [20])
        #expect(try numbers("severity >= 17") == Array(stride(from: 0, to: 280, by: 10)))
        #expect(try numbers("level = 'error' AND time < \(from)") == [0, 10])
        #expect(try numbers("service = 'mail' AND time < \(from)").count == 10)
        #expect(try numbers("trace_id = '\(trace)'") == [77])
        #expect(try numbers("trace_id = 'none'").isEmpty)
        #expect(try numbers("time < -1 OR time > 9223372036854775806").isEmpty)
        #expect(try numbers("time < '' AND time = NULL").isEmpty)
        #expect(
            try service.sqlRows(
                "SELECT id, span_id, message, severity_text FROM logs WHERE attributes ->> 'order' = 77"
            ).first?[1...] == [.string("b7ad6b7169203331"), .string("m77"), .string("info")])
        // The ids are those of GET /logs.
        let newest = try service.get("/logs?limit=1").json()["records"]?[0]?["id"]?.string
        #expect(
            try service.sqlRows("SELECT id FROM logs ORDER BY time DESC LIMIT 1")
                == [[.string(try #require(newest))]])
        try joins(service)
        #expect(try service.terminate() == .exited(0))
    }

    /// Each error with the events of its hour.
    private func joins(_ service: RunningService) throws {
        let time = Timestamp.format(Self.start + 1000)
        let reply = try service.post(
            "/events?ack=stored", lines: [#"{"type":"sale","time":"\#(time)","order":0}"#])
        #expect(reply.status == 200)
        #expect(
            try service.sqlRows(
                """
                SELECT l.message, e.type FROM logs l JOIN events e
                    ON e.time BETWEEN l.time AND l.time + 3600000 WHERE l.severity >= 17
                """) == [[.string("m0"), .string("sale")]])
        #expect(
            try service.sqlRows(
                """
                SELECT e.type, (SELECT count(*) FROM logs l WHERE l.time <= e.time) FROM events e
                """) == [[.string("sale"), .integer(1)]])
    }

    @Test func `logs are for keys that may read logs, and for no named query`() throws {
        let folder = try TemporaryDirectory()
        try folder.write("logs.sql", "SELECT message FROM logs")
        try folder.write("kept.sql", "SELECT count(*) AS n FROM rollups")
        let keyed = try KeyedService(
            PlantedKey.scoped + [PlantedKey.everything],
            ["--enable-sql", "--queries-dir", folder.path])
        let sent = try keyed.post("/logs", json: #"{"message":"secret"}"#, .logsWrite)
        #expect(sent.status == 202)
        try keyed.service.wait(until: "the record is stored") {
            try keyed.get("/logs", .logsRead).text.contains("secret")
        }
        for statement in [
            "SELECT message FROM logs", "SELECT count(*) FROM logs", "SELECT 1 FROM logs",
            "SELECT (SELECT max(time) FROM logs)", "SELECT 1 WHERE EXISTS (SELECT 1 FROM LOGS)",
            "WITH a AS (SELECT * FROM logs) SELECT * FROM a",
            "SELECT e.id FROM events e LEFT JOIN logs l ON l.time = e.time",
            "SELECT message FROM main.logs", "SELECT message FROM \"logs\"",
        ] {
            let reply = try keyed.service.sql(statement, headers: PlantedKey.sql.header)
            #expect(reply.status == 403, "\(statement): \(reply.text)")
            #expect(try reply.json()["code"]?.string == "insufficient_scope", "\(statement)")
            #expect(reply.text.contains("logs:read") && !reply.text.contains("secret"))
        }
        // A name of the statement's own is no table.
        let own = "WITH logs AS (SELECT 1 AS a) SELECT a FROM logs"
        #expect(try keyed.service.sql(own, headers: PlantedKey.sql.header).status == 200)
        let read = try keyed.service.sql(
            "SELECT message FROM logs", headers: PlantedKey.everything.header)
        #expect(try read.json()["rows"]?[0]?[0]?.string == "secret", "\(read.text)")
        // The next one on the same connection has no more rights than before.
        let again = try keyed.service.sql(
            "SELECT message FROM logs", headers: PlantedKey.sql.header)
        #expect(again.status == 403)
        #expect(try keyed.get("/query/named/kept", .query).status == 200)
        #expect(try keyed.get("/query/named/logs", .query).status == 503)
        let problems = try keyed.status()["named_queries"]?["problems"]
        #expect(
            problems?[0]?["error"]?.string?.contains("is offered at /query/sql alone") == true,
            "\(String(describing: problems))")
        #expect(try keyed.service.terminate() == .exited(0))
    }

    @Test(arguments: ["files", "off"])
    func `without a store of logs there is no table of them, and the error says why`(
        _ mode: String
    ) throws {
        let service = try RunningService.start(["--enable-sql", "--logs-store", mode])
        let problem = try service.sql("SELECT * FROM logs").json()
        #expect(problem["status"]?.integer == 400 && problem["code"]?.string == "invalid_sql")
        #expect(problem["detail"]?.string?.contains("--logs-store search") == true)
        #expect(try service.terminate() == .exited(0))
    }
}
