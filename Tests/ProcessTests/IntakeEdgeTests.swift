import Primitives
import TestSupport
import Testing

/// Bodies and headers as clients really send them, at the edges of what is allowed.
@Suite(.processes) struct IntakeEdgeTests {
    private let service: RunningService

    init() throws { service = try RunningService.start() }

    @Test func `headers that are no UTF-8 make no events`() throws {
        for byte in [UInt8(0xE8), 0xE9, 0xEA] {
            for name in ["ce-id", "ce-source", "ce-type", "ce-subject", "ce-ext", "Content-Type"] {
                var fields = [
                    "ce-id": "1", "ce-source": "/t", "ce-type": "latin1",
                    "Content-Type": "text/plain",
                ].filter { $0.key != name }.map { "\($0.key): \($0.value)\r\n" }
                fields.append("ce-specversion: 1.0\r\nHost: localhost\r\nContent-Length: 1\r\n")
                let head = "POST /events HTTP/1.1\r\n" + fields.joined() + "\(name): caf"
                let connection = try service.connect()
                try connection.send(Array(head.utf8) + [byte] + Array("\r\n\r\nx".utf8))
                let reply = try connection.receive()
                #expect(reply.status == 422, "\(name): \(reply.text)")
                #expect(try reply.json()["errors"]?[0]?["code"]?.string == "invalid_utf8")
            }
        }
        #expect(try service.storedCount() == 0)
    }

    @Test func `a cut emoji costs nobody their events`() throws {
        let body = #"[{"type":"ok1"},{"type":"cut","v":"\ud83d"},{"type":"ok2"}]"#
        let reply = try service.post("/events?ack=stored", json: body)
        #expect(reply.status == 200, "\(reply.text)")
        #expect(try reply.json()["accepted"] == .integer(3))
        let cut = try service.get("/events?type=cut").json()["events"]?[0]
        #expect(cut?["data"]?["v"] == .string("\u{FFFD}"))
        let rows = try service.get("/query?metric=count&group_by=v&event=cut&from=-1h").json()
        #expect(rows["rows"]?[0]?[0] == .string("\u{FFFD}"))
    }

    @Test(arguments: [
        "application/x-ndjson", "application/ndjson", "application/jsonl",
        "Application/X-JSONLines; charset=utf-8", "application/x-json-stream",
    ])
    func `lines have many names`(type: String) throws {
        let reply = try service.post("/events", Array("{\"type\":\"a\"}\n{}".utf8), type: type)
        #expect(reply.status == 202, "\(reply.text)")
        #expect(try reply.json()["errors"]?[0]?["line"] == .integer(2))
    }

    @Test func `a byte order mark stands before any body`() throws {
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        let event = try service.post(
            "/events?ack=stored", mark + Array(#"{"n":1}"#.utf8), type: "application/json",
            headers: [
                "ce-specversion": "1.0", "ce-id": "1", "ce-source": "/t", "ce-type": "marked",
            ])
        #expect(event.status == 200, "\(event.text)")
        let query = try service.post(
            "/query", mark + Array(#"{"metric":"sum:n","event":"marked"}"#.utf8),
            type: "application/json")
        #expect(query.status == 200, "\(query.text)")
        #expect(try query.json()["rows"]?[0]?[0] == .integer(1))
    }

    @Test func `a small batch of equal events may pack as well as it can`() throws {
        let lines = String(repeating: #"{"type":"heartbeat","node":"node-a"}"# + "\n", count: 3000)
        let plain = Bytes(lines)
        let packed = gzipped(plain)
        #expect(packed.count * 100 < lines.utf8.count)
        for service in [service, try RunningService.start(["--decompression-ratio", "1"])] {
            let reply = try service.post(
                "/events", packed, type: "application/x-ndjson",
                headers: ["Content-Encoding": "gzip"])
            #expect(reply.status == 202, "\(reply.text)")
            #expect(try reply.json()["accepted"] == .integer(3000))
        }
    }

    @Test func `the ratio of compressed bodies is what the settings say`() throws {
        let service = try RunningService.start(["--decompression-ratio", "5"])
        let plain = Bytes(String(repeating: "{\"type\":\"a\"}\n", count: 100_000))
        let packed = gzipped(plain)
        let reply = try service.post(
            "/events", packed, type: "application/x-ndjson", headers: ["Content-Encoding": "gzip"])
        #expect(reply.status == 413)
        #expect(try reply.json()["code"]?.string == "compression_ratio_too_high")
        #expect(try reply.json()["limit"] == .integer(5))
    }

    @Test func `a type with a comma in it can be asked for`() throws {
        let types = ["order,paid", "order", "paid", "other"]
        let lines = types.map { #"{"type":"\#($0)","id":"\#($0)"}"# }
        #expect(try service.post("/events?ack=stored", lines: lines).status == 200)
        func found(_ query: String) throws -> Set<String> {
            let events = try service.get("/events?\(query)").json()["events"]?.array ?? []
            return Set(events.compactMap { $0["type"]?.string })
        }
        #expect(try found("type=order%2Cpaid") == ["order,paid"])
        #expect(try found("type=order,paid") == ["order", "paid"])
        #expect(try found("type=order%2Cpaid,other") == ["order,paid", "other"])
        #expect(try found("type=order&type=order%2Cpaid") == ["order", "order,paid"])
        #expect(try service.get("/events?limit=1&limit=2").status == 400)
        let tail = try EventTail(service, "?type=order%2Cpaid&type=other")
        #expect(
            try service.post(
                "/events?ack=stored", lines: lines.map { $0.replacing("\"id\"", with: "\"n\"") }
            ).status == 200)
        let sent = try tail.next(2).map { try JSONTree.parse($0.data)["type"]?.string }
        #expect(sent == ["order,paid", "other"])
    }

    @Test func `an unknown parameter is named as it was sent`() throws {
        for (sent, named) in [("where%5B%5D=x", "where[]"), ("Type=x", "Type")] {
            let reply = try service.get("/events?\(sent)")
            #expect(reply.status == 400)
            #expect(try reply.json()["parameter"] == .string(named))
        }
    }
}

/// The bytes as a gzip member.
private func gzipped(_ plain: Bytes) -> [UInt8] {
    withExtendedLifetime(plain) {
        let packed = gzipCompress(plain.span)
        return withExtendedLifetime(packed) { Array(packed.span) }
    }
}
