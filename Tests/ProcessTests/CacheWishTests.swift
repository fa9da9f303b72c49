import Primitives
import TestSupport
import Testing

/// What a client's `Cache-Control` asks for (RFC 9111, section 5.2.1; RFC 5861), and purging by key.
@Suite(.processes) struct CacheWishTests {
    private let question = "/query?metric=count&from=1971-01-01&to=2100-01-01"

    private func store(_ service: RunningService, ack: String = "stored") throws {
        let reply = try service.post(
            "/events?ack=\(ack)", json: #"{"type":"t","time":"2026-01-01T00:00:00Z"}"#)
        guard reply.status == 200 || reply.status == 202 else {
            throw TestError("not taken: \(reply.text)")
        }
    }

    private func ask(_ service: RunningService, _ wish: String) throws -> ClientReply {
        try service.get(question, headers: ["Cache-Control": wish])
    }

    private func isHit(_ reply: ClientReply) -> Bool {
        reply.header("Cache-Status")?.hasPrefix("memory; hit; ttl=") == true
    }

    @Test func `max-age and min-fresh are about the answer's age and what is left of it`() throws {
        let service = try RunningService.start()
        try store(service)
        _ = try service.get(question)
        #expect(isHit(try ask(service, "max-age=60")))
        // An hour is what an answer lives, less a tenth at the most.
        #expect(isHit(try ask(service, "min-fresh=3000")))
        #expect(!isHit(try ask(service, "min-fresh=3700")))
        // Older than a second by now, so it is computed or validated again.
        try service.wait(until: "a second has passed") {
            try !isHit(ask(service, "max-age=1"))
        }
        #expect(isHit(try ask(service, "max-age=60")))
        for wish in ["max-age=x", "max-age=", "min-fresh=-1", "unknown=1", "\"", ",,"] {
            #expect(try ask(service, wish).status == 200, "\(wish)")
        }
        #expect(try service.terminate() == .exited(0))
    }

    @Test func `max-stale takes an older answer, and the parameter comes before it`() throws {
        let service = try RunningService.start()
        try store(service)
        let before = try service.get(question).text
        try store(service)
        #expect(try ask(service, "max-stale=600").text == before)
        #expect(isHit(try ask(service, "max-stale")))
        let strict = try service.get(
            question + "&max_stale=0", headers: ["Cache-Control": "max-stale=600"])
        #expect(strict.text != before)
        #expect(try service.terminate() == .exited(0))
    }

    @Test func `only-if-cached computes nothing, and no-store keeps nothing`() throws {
        let service = try RunningService.start()
        try store(service)
        #expect(try ask(service, "only-if-cached").status == 504)
        #expect(try ask(service, "no-store").status == 200)
        #expect(try ask(service, "only-if-cached").status == 504)
        _ = try service.get(question)
        for _ in 0..<3 { #expect(isHit(try ask(service, "only-if-cached, max-stale=5"))) }
        #expect(try service.status("cache", "computed")?.integer ?? 0 <= 2)
        #expect(try service.terminate() == .exited(0))
    }

    @Test func `stale-if-error gives the answer from before, where computing takes too long`()
        throws
    {
        let service = try RunningService.start(["--query-timeout", "40ms"])
        let slow = question + "&group_by=k&metric=p99:v,uniq:k"
        func ask(_ wish: String) throws -> ClientReply {
            try service.get(slow, headers: ["Cache-Control": wish])
        }
        try store(service)
        try service.wait(until: "it was answered once") { try ask("max-age=60").status == 200 }
        let before = try ask("max-stale=600").text
        for batch in 0..<12 {
            let lines = (0..<10_000).map {
                #"{"type":"t","time":"2026-01-01T00:00:00Z","k":"\#(batch)-\#($0)","v":\#($0)}"#
            }
            #expect(
                try service.post("/events?ack=stored&timeout_ms=30000", lines: lines).status == 200)
        }
        #expect(try ask("no-cache").status == 503)
        let stale = try ask("max-age=0, stale-if-error=600")
        #expect(stale.status == 200 && stale.text == before)
        #expect(try service.status("cache", "stale_on_error")?.integer == 1)
        #expect(try service.terminate() == .exited(0))
    }

    @Test func `an answer is purged by the key that its plan names`() throws {
        let service = try RunningService.start()
        try store(service)
        let other = question + "&event=t"
        for target in [question, other] { _ = try service.get(target) }
        let key = try #require(
            try service.get(question + "&explain=1").json()["cache_key"]?.string)
        let purged = try service.request("DELETE", "/admin/cache?key=\(key)")
        #expect(try purged.json()["removed"]?.integer == 1, "\(purged.text)")
        #expect(!isHit(try service.get(question)))
        #expect(isHit(try service.get(other)))
        for wrong in ["key=", "key=abc", "key=\(key.uppercased())G"] {
            #expect(
                try service.request("DELETE", "/admin/cache?\(wrong)").status == 400, "\(wrong)")
        }
        #expect(try service.terminate() == .exited(0))
    }
}
