import Testing
import TestSupport

/// What answers say about what was wrong.
@Suite(.processes) struct ReportTests {
    private func errors(_ reply: ClientReply) throws -> [JSONTree] {
        try reply.json()["errors"]?.elements ?? []
    }

    @Test func `an error in a line names the line, blank ones counted, and the limit passed`()
        throws
    {
        let service = try RunningService.start(["--event-limit", "300", "--json-depth", "4"])
        let long = String(repeating: "x", count: 400)
        let reply = try service.post(
            "/events",
            lines: [
                "", " ", #"{"type":"good"}"#, "", "{}", "\r", #"{"type":"a","x":"\#(long)"}"#,
                #"{"type":"a","x":[[[[1]]]]}"#, "no json",
            ])
        #expect(reply.status == 202, "\(reply.text)")
        let errors = try errors(reply)
        #expect(errors.map { $0["index"]?.integer } == [1, 2, 3, 4])
        #expect(errors.map { $0["line"]?.integer } == [5, 7, 8, 9])
        #expect(
            errors.map { $0["code"]?.string } == [
                "missing_type", "event_too_large", "too_deep", "invalid_json",
            ])
        #expect(errors.map { $0["limit"]?.integer } == [nil, 300, 4, nil])
        #expect(errors[1]["detail"]?.string == "The event is larger than 300 bytes.")
        #expect(errors[2]["detail"]?.string == "The event is nested deeper than 4 levels.")
        let array = try service.post("/events", json: #"[{"type":"good"},{}]"#)
        #expect(try self.errors(array).map { $0["line"] } == [nil])
    }

    @Test func `a list of codings counts whole, in however many lines it comes`() throws {
        let service = try RunningService.start()
        let body = Array(#"{"type":"good"}"#.utf8)
        func post(_ codings: [String]) throws -> ClientReply {
            let wire = try service.connect()
            try wire.send(
                "POST", "/events",
                ["Content-Type: application/json"] + codings.map { "Content-Encoding: \($0)" },
                body: body)
            return try wire.receive()
        }
        for codings in [[], ["identity"], ["", "identity"], ["identity, identity"]] {
            #expect(try post(codings).status == 202)
        }
        for codings in [
            ["identity", "br"], ["gzip", "br"], ["gzip", "gzip"], ["gzip, deflate"],
            ["deflate", "gzip"], ["identity", "gzip", "identity", "gzip"], ["gzip;q=1"],
        ] {
            let reply = try post(codings)
            #expect(reply.status == 415, "\(codings): \(reply.text)")
            #expect(reply.header("Accept-Encoding") == "gzip, deflate")
        }
        // One coding, in the second line: it is the body that is wrong then.
        #expect(try post(["identity", "gzip"]).status == 400)
    }

    @Test func `a path without parameters says so, and a problem where it happened`() throws {
        let service = try RunningService.start()
        let health = try service.get("/healthz?x=1")
        #expect(try health.json()["detail"]?.string == "This path takes no parameters.")
        #expect(try health.json()["instance"]?.string == "/healthz")
        #expect(try service.get("/nowhere").json()["instance"]?.string == "/nowhere")
        let wire = try service.connect()
        try wire.send("GET /healthz HTTP/1.1\r\n\r\n")
        let guarded = try wire.receive()
        #expect(try guarded.json()["code"]?.string == "missing_host")
        #expect(try guarded.json()["instance"]?.string == "/healthz")
    }

    @Test func `a worker says that it is one, and what it serves`() throws {
        let worker = try RunningService.start(
            ["--redis-url", "redis://127.0.0.1:1"], command: "worker")
        let reply = try worker.post("/events", json: #"{"type":"good"}"#)
        #expect(reply.status == 404)
        let detail = try reply.json()["detail"]?.string ?? ""
        #expect(detail.hasPrefix("This is a worker: it takes no events"))
        for path in ["/events/quarantine", "/events/dead-letters", "/healthz", "/metrics"] {
            #expect(detail.contains(path))
        }
    }
}
