import Primitives
import TestSupport
import Testing

/// Ad-hoc SQL over HTTP to the real process.
@Suite(.processes) struct SQLTests {
    @Test func `it is off unless somebody turns it on`() throws {
        let service = try RunningService.start()
        let reply = try service.sql("SELECT 1")
        #expect(reply.status == 403)
        #expect(try reply.json()["code"]?.string == "sql_disabled")
        #expect(reply.text.contains("--enable-sql"))
    }

    @Test func `a SELECT over the view is answered in every form`() throws {
        let service = try RunningService.start(["--enable-sql"])
        try service.storeNumbers(10)
        let sum = "SELECT type, sum(json_extract(data, '$.n')) AS sum FROM events GROUP BY type"
        let reply = try service.sql(sum)
        #expect(
            reply.text
                == #"{"columns":[{"name":"type","type":"text"},{"name":"sum","type":"integer"}],"#
                + #""rows":[["t",45]],"row_count":1,"truncated":false,"next":null}"#)
        #expect(reply.header("Cache-Control") == "no-store")
        #expect(try service.sql(sum, #","format":"csv""#).text == "type,sum\r\nt,45\r\n")
        #expect(
            try service.sql(sum, #","format":"ndjson""#).text == "{\"type\":\"t\",\"sum\":45}\n")
        #expect(
            try service.sql(sum, #","shape":"objects""#).json()["rows"]?[0]?["sum"]?.integer == 45)
        let columns = try service.sql("SELECT * FROM events LIMIT 1").json()["columns"]
        #expect(
            columns?.elements.compactMap { $0["name"]?.string }
                == ["id", "source", "type", "subject", "time", "data", "extensions"])
        #expect(
            try service.sqlRows("SELECT x'ff00', 1.5, NULL, 'a'")
                == [[.string("/wA="), .real(1.5), .null, .string("a")]])
        #expect(
            try service.sqlRows("SELECT e.value FROM json_each('[1,2]') AS e")
                == [[.integer(1)], [.integer(2)]])
        let got = try service.get("/query/sql?q=SELECT%20:a%2B1%20AS%20b&p.a=41&format=csv")
        #expect(got.text == "b\r\n42\r\n")
    }

    @Test func `values are bound with their types, and each mistake in them is named`() throws {
        let service = try RunningService.start(["--enable-sql"])
        #expect(
            try service.sqlRows(
                "SELECT typeof(:i), typeof(:r), typeof(:t), typeof(:n), :now > 1700000000000",
                #","p.i":1,"p.r":1.5,"p.t":"1","p.n":null"#)
                == [
                    [
                        .string("integer"), .string("real"), .string("text"), .string("null"),
                        .integer(1),
                    ]
                ])
        let got = try service.get("/query/sql?q=SELECT%20typeof(:a),typeof(:b)&p.a=7&p.b=x")
        #expect(got.text.contains(#"["integer","text"]"#), "\(got.text)")
        for (statement, more, code, parameter) in [
            ("SELECT :a", "", "missing_parameter", "p.a"),
            ("SELECT 1", #","p.a":1"#, "unknown_parameter", "p.a"),
            ("SELECT ?", "", "invalid_sql", "q"),
            ("SELECT 1", #","x":"1""#, "unknown_parameter", "x"),
            ("SELECT 1", #","format":"xml""#, "invalid_parameter", "format"),
            ("", "", "missing_parameter", "q"),
        ] {
            let problem = try service.sql(statement, more).json()
            #expect(problem["status"]?.integer == 400, "\(statement)")
            #expect(problem["code"]?.string == code, "\(statement)")
            #expect(problem["parameter"]?.string == parameter, "\(statement)")
        }
        // What looks like SQL in a value stays a value.
        let value = "x' OR 1=1 --"
        #expect(
            try service.sqlRows("SELECT :v", #","p.v":"\#(value)""#) == [[.string(value)]])
    }

    @Test func `what SQLite does not understand is a 400 with its message and the offset`() throws {
        let service = try RunningService.start(["--enable-sql"])
        let problem = try service.sql("SELECT a FROM events").json()
        #expect(problem["code"]?.string == "invalid_sql")
        #expect(problem["detail"]?.string == "no such column: a")
        #expect(problem["offset"]?.integer == 7)
        let syntax = try service.sql("SELECT id FROM events WHERE WHERE").json()
        #expect(syntax["offset"]?.integer == 28)
        #expect(syntax["detail"]?.string?.contains("syntax error") == true)
    }

    @Test func `more rows than an answer may have are cut off, and that is said`() throws {
        let service = try RunningService.start(["--enable-sql"])
        let many = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c"
        let reply = try service.sql(many)
        let answer = try reply.json()
        #expect(answer["row_count"]?.integer == 10_000)
        #expect(answer["truncated"]?.bool == true)
        #expect(reply.header("X-Truncated") == "true")
        // 16 MiB of rows, and not 10,000 of them.
        let wide = try service.sql(
            "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) "
                + "SELECT hex(zeroblob(100000)) FROM c")
        #expect(wide.header("X-Truncated") == "true")
        #expect(wide.body.count < 20 << 20)
    }
}
