import Testing
import TestSupport

/// What nobody should send, sent to the real process.
@Suite(.processes) struct BadInputTests {
    @Test func `a bad event is refused alone and among good ones, and comes back nowhere`() throws {
        let service = try RunningService.start(["--access-log", "all", "--log-level", "trace"])
        var replies: [String] = []
        for bad in BadEvent.all {
            let alone = try service.post("/events", bad.bytes, type: "application/json")
            #expect([400, 422].contains(alone.status), "\(bad.name): \(alone.text)")
            try checkProblem(alone)
            let array = try service.post(
                "/events", Array(#"[{"type":"good"},"#.utf8) + bad.bytes + Array("]".utf8),
                type: "application/json")
            #expect([202, 400].contains(array.status), "\(bad.name) in an array: \(array.text)")
            let batch = try service.post(
                "/events?ack=stored", lines(around: bad), type: "application/x-ndjson")
            #expect(batch.status == 200, "\(bad.name) as a line: \(batch.text)")
            let receipt = try batch.json()
            #expect(receipt["accepted"] == .integer(2) && receipt["rejected"] == .integer(1))
            #expect(receipt["errors"]?[0]?["index"] == .integer(1), "\(bad.name)")
            let strict = try service.post(
                "/events?strict=1", lines(around: bad), type: "application/x-ndjson")
            #expect(strict.status == 422, "\(bad.name): \(strict.text)")
            replies += [alone.text, array.text, batch.text, strict.text]
        }
        #expect(try service.get("/readyz").status == 200)
        try checkSecrecy(service, replies)
        // Nothing but good events got in, and none from the strict requests.
        let types = try service.get("/query?metric=count&group_by=type&from=-1h").json()["rows"]
        let names = types?.array?.compactMap { $0[0]?.string } ?? []
        #expect(names == ["good", "line"], "\(names)")
        #expect(try service.row("count", "&event=line") == [.integer(2 * BadEvent.all.count)])
        print("bad input: \(BadEvent.all.count) kinds in 4 places each, none came back")
    }

    private func lines(around bad: BadEvent) -> [UInt8] {
        let line = Array("{\"type\":\"line\"}\n".utf8)
        return line + bad.bytes + [10] + line
    }

    private func checkProblem(_ reply: ClientReply) throws {
        #expect(reply.header("Content-Type") == "application/problem+json")
        let problem = try reply.json()
        #expect(problem["status"] == .integer(reply.status))
        #expect(problem["code"]?.string?.isEmpty == false)
    }

    /// The secret is in no answer, no log record, and not in what quarantine shows.
    private func checkSecrecy(_ service: RunningService, _ replies: [String]) throws {
        var cursor = ""
        var shown = 0
        var pages = ""
        repeat {
            let reply = try service.get("/events/quarantine?limit=50\(cursor)")
            #expect(reply.status == 200)
            let page = try reply.json()
            shown += page.quarantined.count
            pages += reply.text
            cursor = page["next"]?.string.map { "&cursor=\($0)" } ?? ""
        } while !cursor.isEmpty
        #expect(shown >= BadEvent.all.count)
        for text in replies + [pages, service.output, service.errors] {
            #expect(!text.contains(BadEvent.secret), "\(text.prefix(2000))")
        }
    }

    @Test func `more refused events than an answer can hold are counted, and it says so`() throws {
        let service = try RunningService.start(["--batch-events", "200"])
        let lines = Array(repeating: "{}", count: 101) + [#"{"type":"good"}"#]
        let reply = try service.post("/events?ack=stored", lines: lines)
        let receipt = try reply.json()
        #expect(reply.status == 200)
        #expect(receipt["accepted"] == .integer(1) && receipt["rejected"] == .integer(101))
        #expect(receipt["errors"]?.array?.count == 100)
        #expect(receipt["errors_truncated"] == .bool(true))
        let few = try service.post("/events", lines: ["{}", #"{"type":"good"}"#]).json()
        #expect(few["errors"]?.array?.count == 1 && few["errors_truncated"] == .bool(false))

        let many = try service.post(
            "/events", lines: Array(repeating: #"{"type":"a"}"#, count: 201))
        let problem = try many.json()
        #expect(many.status == 413)
        #expect(problem["code"] == .string("too_many_events"))
        #expect(problem["limit"] == .integer(200))
        #expect(try service.terminate() == .exited(0))
    }

    @Test func `what stands in a target or a header comes back nowhere`() throws {
        let service = try RunningService.start(["--access-log", "all", "--log-level", "trace"])
        let secret = BadEvent.secret
        let targets = [
            "/\(secret)", "/events/\(secret)", "/events?limit=1&limit=\(secret)",
            "/events?from=now&from=\(secret)",
            "/events?cursor=\(secret)", "/events?limit=\(secret)", "/events?from=\(secret)",
            "/query?metric=\(secret)", "/query?metric=count&interval=\(secret)",
            "/query?metric=count&tz=\(secret)", "/query?metric=count&where=\(secret)",
            "/query?metric=count&order=\(secret)", "/query?metric=count&cursor=\(secret)",
            "/query?metric=count&from=\(secret)", "/query?metric=count&format=\(secret)",
            "/query?metric=count&where=a:\(secret):b", "/query?metric=count&%FF\(secret)",
        ]
        for target in targets {
            let reply = try service.get(
                target,
                headers: [
                    "Authorization": "Bearer \(secret)", "Cookie": "session=\(secret)",
                    "User-Agent": secret, "X-Request-Id": "\"\(secret)\"",
                    "traceparent": "00-\(secret)-\(secret)-01", "Last-Event-ID": secret,
                ])
            #expect((400..<500).contains(reply.status), "\(target): \(reply.status)")
            #expect(!reply.text.contains(secret), "\(target): \(reply.text)")
            #expect(!reply.headers.contains { $0.value.contains(secret) }, "\(target)")
        }
        let reply = try service.post(
            "/events", Array("{}".utf8), type: "application/json; token=\(secret)")
        #expect(reply.status == 422)
        let type = try service.post("/events", Array("{}".utf8), type: "text/\(secret)")
        #expect(type.status == 415)
        try checkHidden(secret, service, reply.text + type.text)
    }

    private func checkHidden(_ secret: String, _ service: RunningService, _ text: String) throws {
        let quarantine = try service.get("/events/quarantine").text
        #expect(!text.contains(secret) && !quarantine.contains(secret))
        let told = service.output.split(separator: "\n").filter { $0.contains(secret) }
        #expect(told.isEmpty, "\(told.prefix(3))")
    }

    @Test func `methods, paths and media types that do not fit are told what would`() throws {
        let service = try RunningService.start()
        #expect(try service.get("/nowhere").status == 404)
        let method = try service.request("PUT", "/events")
        #expect(method.status == 405)
        let allowed = method.header("Allow") ?? ""
        #expect(
            ["GET", "HEAD", "POST", "OPTIONS"].allSatisfy { allowed.contains($0) }, "\(allowed)")
        let options = try service.request("OPTIONS", "/query")
        #expect([200, 204].contains(options.status) && options.header("Allow") != nil)
        #expect(try service.request("HEAD", "/query?metric=count").status == 200)
        #expect(try service.request("HEAD", "/events/quarantine").body.isEmpty)
        let media = try service.post("/events", Array("type=a".utf8), type: "text/plain")
        #expect(media.status == 415)
        for type in ["application/json", "application/x-ndjson", "application/jsonl"] {
            #expect(media.text.contains("\(type),"), "\(media.text)")
            #expect(
                try service.post("/events", Array(#"{"type":"a"}"#.utf8), type: type).status == 202)
        }
        let coding = try service.post(
            "/events", Array("{}".utf8), type: "application/json",
            headers: ["Content-Encoding": "br"])
        #expect(coding.status == 415)
        for reply in [method, media, coding] { try checkProblem(reply) }
    }
}

extension JSONTree {
    /// The refused events of a page of `GET /events/quarantine`.
    var quarantined: [JSONTree] { (self["events"] ?? self["entries"])?.array ?? [] }
}
