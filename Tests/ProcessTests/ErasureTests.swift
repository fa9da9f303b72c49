import Primitives
import TestSupport
import Testing

/// `DELETE /events` through the front door.
@Suite(.processes) struct ErasureTests {
    private static let declarations = """
        rollups:
          - name: pages
            interval: 1h
            group_by: [subject, path]
            metrics: [count, avg:ms, max:note, uniq:note]
        """

    /// What must not be found afterwards.
    private let secrets = ["ann-7f3a@example.com", "ann's note", "/ann/private"]

    private func line(_ index: Int, of who: String, time: String = "2026-01-01") -> String {
        #"{"type":"page","id":"\#(who)-\#(index)","subject":"\#(who)-7f3a@example.com","#
            + #""time":"\#(time)T00:00:00.\#(100 + index % 900)Z","#
            + #""data":{"path":"/\#(who)/private","ms":\#(index),"note":"\#(who)'s note \#(index)"}}"#
    }

    /// Erases the events of Ann and waits until that is done.
    private func erase(_ service: RunningService, _ query: String = "subject=ann-7f3a@example.com")
        throws -> JSONTree
    {
        let reply = try service.request("DELETE", "/events?\(query)")
        #expect(reply.status == 202, "\(reply.text)")
        let id = try #require(try reply.json()["id"]?.string)
        try waitUntilFinished(id, service)
        return try #require(try erasure(id, service))
    }

    private func erasure(_ id: String, _ service: RunningService) throws -> JSONTree? {
        try service.get("/admin/erasures").json()["erasures"]?.array?.first {
            $0["id"]?.string == id
        }
    }

    private func waitUntilFinished(_ id: String, _ service: RunningService) throws {
        try service.wait(until: "\(id) has finished") {
            try erasure(id, service)?["state"]?.string == "finished"
        }
    }

    private func post(_ service: RunningService, _ lines: [String]) throws -> JSONTree {
        let reply = try service.post("/events?ack=stored", lines: lines)
        guard reply.status == 200 else { throw TestError("not stored: \(reply.text)") }
        return try reply.json()
    }

    @Test func `what is erased is in no file, and does not come back`() throws {
        let folder = try TemporaryDirectory()
        let file = folder.file("millrace.yaml")
        try FileSystem.write(Self.declarations.utf8, to: file)
        let first = try RunningService.start(["--config", file])
        let anns = (0..<2000).map { line($0, of: "ann") }
        let bobs = (0..<2000).map { line($0, of: "bob") }
        _ = try post(first, zip(anns, bobs).flatMap { [$0, $1] })
        // Refused, and asked about: quarantine and answers hold them too.
        _ = try first.post("/events", lines: [#"{"subject":"ann-7f3a@example.com"}"#, anns[0]])
        let question = "/query?metric=count&group_by=subject&from=2026-01-01&to=2026-01-02"
        #expect(try first.get(question).text.contains("ann-7f3a"))
        #expect(!FileSearch.find(secrets, in: first.dataDirectory).isEmpty)

        let dry = try first.request("DELETE", "/events?subject=ann-7f3a@example.com&dry_run=1")
        #expect(dry.status == 200)
        #expect(try dry.json()["matched"]?.integer == 2000)
        let done = try erase(first)
        #expect(done["events"]?.integer == 2000)
        #expect(done["quarantined"]?.integer == 1)
        #expect(FileSearch.find(secrets, in: first.dataDirectory) == [])
        #expect(!FileSearch.find(["bob-7f3a"], in: first.dataDirectory).isEmpty)
        func check(_ service: RunningService) throws {
            for stale in ["", "&max_stale=1000", "&rollup=off"] {
                let answer = try service.get(question + stale)
                #expect(answer.status == 200 && !answer.text.contains("ann-7f3a"))
                #expect(try answer.json()["rows"]?[0]?[1]?.integer == 2000)
            }
            #expect(!(try service.get("/events?limit=1000").text.contains("ann-7f3a")))
            #expect(!(try service.get("/events/quarantine").text.contains("ann-7f3a")))
        }
        try check(first)
        // Sent again it is the same event; what is new is not touched.
        _ = try post(first, anns)
        #expect(try first.storedCount() == 2000)
        first.kill()
        let second = try first.startAgain()
        try second.waitUntilAllIsStored()
        try check(second)
        _ = try post(second, [line(9999, of: "ann", time: "2026-02-01")])
        let late = try second.get("/events?subject=ann-7f3a@example.com").json()
        #expect(late["events"]?.array?.count == 1)
        // No record of the log names whom it was about.
        #expect(!second.output.contains("ann-7f3a"))
        #expect(second.output.contains("audit: events erased"))
        #expect(try second.terminate() == .exited(0))
    }

    @Test func `an erasure goes on after kill -9, and what was in the journal does not come back`()
        throws
    {
        var random = SeededGenerator.printingSeed("kill -9 while events are erased")
        for round in 0..<3 {
            var service = try RunningService.start()
            let lines = (0..<6000).map { line($0, of: $0 % 3 == 0 ? "ann" : "bob") }
            #expect(try service.post("/events", lines: lines).status == 202)
            var reply = try service.request("DELETE", "/events?subject=ann-7f3a@example.com")
            if reply.status == 503 {
                // On a busy machine the store has not come so far; one that began yet harms nothing.
                try service.waitUntilAllIsStored()
                reply = try service.request("DELETE", "/events?subject=ann-7f3a@example.com")
            }
            #expect(reply.status == 202, "\(reply.text)")
            let id = try #require(try reply.json()["id"]?.string)
            sleep(until: .after(.milliseconds(Int64.random(in: 0...60, using: &random))))
            service.kill()
            service = try service.startAgain()
            try waitUntilFinished(id, service)
            #expect(try service.storedCount() == 4000, "round \(round)")
            #expect(FileSearch.find(secrets, in: service.dataDirectory) == [])
            service.kill()
            service = try service.startAgain()
            try service.waitUntilAllIsStored()
            #expect(try service.storedCount() == 4000)
            #expect(try service.terminate() == .exited(0))
        }
    }

    @Test func `says which conditions are wrong`() throws {
        let service = try RunningService.start()
        let cases: [(String, String, String?)] = [
            ("", "missing_condition", nil), ("?dry_run=1", "missing_condition", nil),
            ("?subject=a&from=yesterdayish", "invalid_parameter", "from"),
            ("?from=2026-01-02&to=2026-01-01", "invalid_parameter", "from"),
            ("?subject=a&dry_run=2", "invalid_parameter", "dry_run"),
            ("?subject=a&limit=2", "unknown_parameter", "limit"),
            ("?type=", "invalid_parameter", "type"),
        ]
        for (query, code, parameter) in cases {
            let reply = try service.request("DELETE", "/events\(query)")
            #expect(reply.status == 400, "\(query)")
            let problem = try reply.json()
            #expect(problem["code"]?.string == code, "\(query) \(reply.text)")
            if let parameter { #expect(problem["parameter"]?.string == parameter, "\(query)") }
        }
        #expect(try service.get("/admin/erasures").json()["erasures"]?.array?.isEmpty == true)
        #expect(try service.status("erasures", "running")?.integer == 0)
    }
}
