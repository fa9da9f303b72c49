import TestSupport
import Testing

/// Breakers set by hand, under load.
@Suite(.processes) struct OperatorBreakerTests {
    private func set(_ service: RunningService, _ name: String, _ state: String) throws {
        let reply = try service.putBreaker(name, #"{"state":"\#(state)"}"#)
        #expect(reply.status == 200)
        let shown = state == "auto" ? "closed" : state
        #expect(try reply.json()["name"]?.string == name)
        #expect(try reply.json()["state"]?.string == shown)
        #expect(try service.status("breakers", name, "state")?.string == shown)
        #expect(
            try service.get("/metrics").text.contains(
                #"millrace_breaker_state{breaker="\#(name)",state="\#(shown)"} 1"#))
    }

    @Test(arguments: ["streams", "stream-consumer"])
    func `forced open it is degraded, takes everything, and catches up once it is let go`(
        name: String
    ) throws {
        let redis = try RedisServer()
        // Holds every entry, and reads them at the end.
        try redis.addGroup("witness")
        let service = try RunningService.start(redis: redis.url)
        try service.waitUntilStreamsAre("ok")
        let load = EventLoad(
            on: service, clients: 3, prefix: "o", seed: 1, pause: .milliseconds(10), subjects: 20)
        try service.waitForMore(200, of: load)
        try set(service, name, "forced_open")
        let ready = try service.get("/readyz")
        #expect(ready.status == 200)
        #expect(try ready.json()["status"]?.string == "degraded")
        // Stored without Redis.
        let reply = try service.post(
            "/events?ack=stored&timeout_ms=20000",
            json: #"{"id":"meanwhile","type":"load","source":"/load"}"#)
        #expect(reply.status == 200)
        try service.waitForMore(200, of: load)
        try set(service, name, "auto")
        try service.wait(until: "events travel by Redis again") {
            try service.status("stream", "mode")?.string == "streaming"
        }
        let refused = try service.status("breakers", name, "refused")?.integer ?? 0
        #expect(refused > 0)
        try set(service, name, "disabled")
        try service.waitForMore(200, of: load)
        load.stop()
        try service.waitUntilStreamsAreDrained()
        #expect(try service.status("breakers", name, "refused")?.integer == refused)
        try set(service, name, "auto")
        let all = load.acknowledged.union(["meanwhile"])
        let accounting = Accounting(
            acknowledged: all, sent: load.sent.union(all), stored: try service.storedIDs())
        print("\(name): \(accounting), \(refused) calls refused")
        #expect(accounting.isRight, "\(accounting)")
        #expect(load.statuses.keys.allSatisfy { $0 == 202 })
        #expect(Set(try redis.readAll(group: "witness")) == all)
        #expect(try service.terminate() == .exited(0))
        #expect(service.errors.isEmpty)
    }

    @Test func `without its own way to Redis a sink waits, and the store does not`() throws {
        let receiver = try Receiver()
        let cluster = try SinkCluster(receiver, nodes: [("a", "serve")])
        let service = cluster.nodes[0]
        try service.waitUntilStreamsAre("ok")
        try set(service, "sink-consumer", "forced_open")
        try service.wait(until: "reads that were under way have ended") {
            try service.status("breakers", "sink-consumer", "busy_connections")?.integer == 0
        }
        var posted = 0
        try cluster.post(50, toEach: [0], after: &posted)
        try service.wait(until: "the store has them") { try service.storedCount() == 50 }
        #expect(receiver.taken.isEmpty)
        try set(service, "sink-consumer", "auto")
        try cluster.waitUntilDone(posted)
        #expect(receiver.taken.count == posted)
        #expect(try service.terminate() == .exited(0))
    }

    @Test func `a sink that is forced open delivers nothing until it is let go`() throws {
        let receiver = try Receiver()
        let cluster = try SinkCluster(receiver, nodes: [("a", "serve")])
        let service = cluster.nodes[0]
        try cluster.post(0..<50, to: 0)
        try cluster.waitUntilDelivered(50)
        let name = "sink:audit"
        let reply = try service.putBreaker(name, #"{"state":"forced_open"}"#)
        #expect(reply.status == 200)
        #expect(try reply.json()["name"]?.string == name)
        #expect(try cluster.sink(0)["breaker"]?["state"]?.string == "forced_open")
        try cluster.post(50..<150, to: 0)
        try service.wait(until: "a delivery is refused") {
            try service.putBreaker(name, #"{"state":"forced_open"}"#).json()["refused"]?.integer
                ?? 0 > 0
        }
        try service.wait(until: "they are stored") { try service.storedCount() == 150 }
        #expect(receiver.taken.count == 50)
        #expect(
            try service.putBreaker(name, #"{"state":"auto"}"#).json()["state"]?.string == "closed")
        try cluster.waitUntilDone(150)
        #expect(receiver.taken.count == 150)
        #expect(try service.putBreaker("sink:other", #"{"state":"auto"}"#).status == 404)
        #expect(try service.terminate() == .exited(0))
    }

    @Test func `what is no order to a breaker is refused`() throws {
        let redis = try RedisServer()
        let service = try RunningService.start(redis: redis.url)
        let good = #"{"state":"auto"}"#
        let unknown = try service.putBreaker("nothing", good)
        #expect(unknown.status == 404)
        #expect(try unknown.json()["code"]?.string == "unknown_breaker")
        for body in [
            #"{"state":"ajar"}"#, #"{"state":1}"#, "{}", "[]", #""auto""#,
            #"{"state":"auto","for":"1h"}"#, #"{"State":"auto"}"#,
        ] {
            #expect(try service.putBreaker("streams", body).status == 422, "\(body)")
        }
        for body in ["", "{", #"{"state":"auto"} x"#, "\u{0}"] {
            #expect(try service.putBreaker("streams", body).status == 400, "\(body)")
        }
        #expect(try service.putBreaker("streams", good, type: "text/plain").status == 415)
        let long = #"{"state":""# + String(repeating: "x", count: 5000) + #""}"#
        #expect(try service.putBreaker("streams", long).status == 413)
        let reply = try service.request("GET", "/admin/breakers/streams")
        #expect(reply.status == 405 && reply.header("Allow")?.contains("PUT") == true)
        #expect(try service.status("breakers", "streams", "state")?.string != "forced_open")
        #expect(try service.terminate() == .exited(0))
    }
}
