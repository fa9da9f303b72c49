import TestSupport
import Testing

/// The record of each request, by `--access-log`.
@Suite(.processes) struct AccessRecordTests {
    /// The records after a success, a refusal and a path that nobody knows.
    private func records(_ mode: String) throws -> [JSONTree] {
        let service = try RunningService.start(["--access-log", mode])
        let trace = "0af7651916cd43dd8448eb211c80319c"
        let reply = try service.post(
            "/events?ack=journaled", Array(#"{"type":"a"}"#.utf8), type: "application/json",
            headers: [
                "X-Request-Id": "mine-1", "traceparent": "00-\(trace)-b7ad6b7169203331-01",
            ])
        #expect(reply.status == 202)
        #expect(try service.post("/events", json: "{").status == 400)
        #expect(try service.get("/private/path?with=parameters").status == 404)
        #expect(try service.terminate() == .exited(0))
        #expect(!service.output.contains("private") && !service.output.contains("parameters"))
        return service.records.filter {
            $0["message"]?.string == "request" && $0["route"]?.string != "/healthz"
        }
    }

    @Test func `with all, every request has one, with ids but without what it asked for`() throws {
        let records = try records("all")
        #expect(records.map { $0["status"]?.integer } == [202, 400, 404])
        #expect(records.map { $0["route"]?.string } == ["/events", "/events", "none"])
        #expect(records.map { $0["method"]?.string } == ["POST", "POST", "GET"])
        #expect(records.map { $0["level"]?.string } == ["info", "notice", "notice"])
        #expect(records.map { $0["code"]?.string } == ["", "invalid_json", "not_found"])
        let first = try #require(records.first)
        #expect(first["request_id"]?.string == "mine-1")
        #expect(first["trace_id"]?.string == "0af7651916cd43dd8448eb211c80319c")
        #expect(first["span_id"]?.string?.count == 16)
        #expect(first["span_id"]?.string != "b7ad6b7169203331")
        #expect(first["request_bytes"]?.integer == 12)
        #expect(first["duration_ms"]?.number ?? -1 > 0)
        #expect(Set(records.map { $0["trace_id"]?.string }).count == 3)
    }

    @Test func `with errors, only what failed has one`() throws {
        #expect(try records("errors").map { $0["status"]?.integer } == [400, 404])
    }

    @Test func `with off, none has one`() throws {
        #expect(try records("off").isEmpty)
    }
}
