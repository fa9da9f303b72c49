import Primitives
import TestSupport
import Testing

/// Hits that are found by a request's bytes, through the front door: never staler, and never less
/// counted, than those that are found by their question.
@Suite(.processes) struct RepeatedAnswerTests {
    private let question = "/query?metric=count&from=1971-01-01&to=2100-01-01"

    private func store(_ service: RunningService, type: String = "t") throws {
        let reply = try service.post(
            "/events?ack=stored", json: #"{"type":"\#(type)","time":"2026-01-01T00:00:00Z"}"#)
        guard reply.status == 200 else { throw TestError("not stored: \(reply.text)") }
    }

    private func count(_ reply: ClientReply) throws -> Int? {
        try reply.json()["rows"]?[0]?[0]?.integer
    }

    private func isHit(_ reply: ClientReply) -> Bool {
        reply.header("Cache-Status")?.hasPrefix("memory; hit; ttl=") == true
    }

    @Test func `each is a hit in the counters, with an age, an id and a record`() throws {
        let service = try RunningService.start(["--access-log", "all"])
        try store(service)
        let wire = try service.connect()
        _ = try wire.ask("GET", question)
        var ids: [String] = []
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        let fields = ["traceparent: 00-\(trace)-00f067aa0ba902b7-01"]
        for _ in 0..<50 {
            let reply = try wire.ask("GET", question, fields)
            #expect(isHit(reply) && reply.header("Age") == "0", "\(reply.headers)")
            let timing = slowness > 1 ? "memory;dur=" : "memory;dur=0."
            #expect(reply.header("Server-Timing")?.hasPrefix(timing) == true)
            ids.append(try #require(reply.header("X-Request-Id")))
        }
        #expect(Set(ids).count == 50)
        #expect(try service.get("/status").json()["cache"]?["hits"]?.integer == 50)
        try service.wait(until: "all are logged") {
            let logged = Set(service.records.compactMap { $0["request_id"]?.string })
            return logged.isSuperset(of: ids)
        }
        #expect(service.records.count { $0["trace_id"]?.string == trace } == 50)
        #expect(try service.terminate() == .exited(0))
    }

    @Test func `what was acknowledged as stored is in the next answer, strict or not`() throws {
        let service = try RunningService.start()
        let wires = try (0..<3).map { _ in try service.connect() }
        let asked = [question, question + "&max_stale=0", question + "&event=t"]
        for stored in 1...40 {
            try store(service)
            for target in asked {
                for wire in wires {
                    let reply = try wire.ask("GET", target)
                    #expect(try count(reply) == stored, "\(target) \(reply.headers)")
                }
            }
        }
        #expect(try service.terminate() == .exited(0))
    }

    @Test func `a purge and a refresh are seen at once`() throws {
        let service = try RunningService.start()
        try store(service)
        let wire = try service.connect()
        for _ in 0..<5 {
            _ = try wire.ask("GET", question)
            for _ in 0..<3 { #expect(isHit(try wire.ask("GET", question))) }
            #expect(try service.request("DELETE", "/admin/cache").status == 200)
            #expect(!isHit(try wire.ask("GET", question)))
        }
        #expect(try service.terminate() == .exited(0))
    }

    @Test func `a window that rolls on is another question each second`() throws {
        let service = try RunningService.start()
        let wire = try service.connect()
        // Two seconds wide, so each event has left it two to three seconds after it came.
        let rolling = "/query?metric=count&from=-2s&max_stale=3600"
        let reply = try service.post("/events?ack=stored", json: #"{"type":"t"}"#)
        #expect(reply.status == 200)
        var seen = try count(try wire.ask("GET", rolling))
        let start = MonotonicTime.now()
        while seen != 0, MonotonicTime.now().since(start) < .seconds(30) {
            seen = try count(try wire.ask("GET", rolling))
        }
        #expect(seen == 0)
        #expect(MonotonicTime.now().since(start) < .seconds(5) * slowness)
        #expect(try service.terminate() == .exited(0))
    }

    @Test func `a key that was revoked has no more answers`() throws {
        let keyed = try KeyedService([.query, .admin, .everything])
        let service = keyed.service
        let wire = try service.connect()
        let fields = PlantedKey.query.header.map { "\($0): \($1)" }
        for _ in 0..<5 { #expect(try wire.ask("GET", question, fields).status == 200) }
        try keyed.write(PlantedKey.everything.yaml)
        try service.wait(until: "the key is unknown") {
            try wire.ask("GET", question, fields).status == 401
        }
        for _ in 0..<5 { #expect(try wire.ask("GET", question, fields).status == 401) }
        #expect(try service.terminate() == .exited(0))
    }
}
