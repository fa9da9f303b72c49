import TestSupport
import Testing

/// User, password and database of `--redis-url`.
@Suite(.processes) struct RedisLoginTests {
    @Test func `events go to the database that the URL names, as its user`() throws {
        let redis = try RedisServer([
            "--user", "millrace", "on", ">s3cret", "~millrace:*", "&*", "+@all",
        ])
        let service = try RunningService.start(redis: url(redis, password: "s3cret"))
        try service.waitUntilGroupIsMade()
        for index in 0..<20 {
            let reply = try service.post("/events", json: #"{"type":"t","n":\#(index)}"#)
            #expect(reply.status == 202)
        }
        try service.waitUntilStreamsAreDrained()
        #expect(try service.storedCount() == 20)
        let database3 = try redis.command("-n", "3", "KEYS", "millrace:*:events")
        #expect(Set(database3.filter { !$0.isEmpty }) == Set(RedisServer.keys()))
        #expect(try redis.command("DBSIZE").first == "0")
        // A connection says who it is: its lane, its user and its database.
        let clients = try redis.command("CLIENT", "LIST").filter { $0.contains("millrace-n1") }
        #expect(
            ["streams", "stream-consumer", "cache"].allSatisfy { lane in
                clients.contains { $0.contains("name=millrace-n1-\(lane) ") }
            })
        #expect(clients.allSatisfy { $0.contains(" user=millrace ") && $0.contains(" db=3 ") })
        expectDiscretion(service, try service.get("/status").text)
        #expect(try service.terminate() == .exited(0))
    }

    @Test func `a wrong password is seen, costs no event, and can be mended while it runs`() throws
    {
        let redis = try RedisServer([
            "--user", "millrace", "on", ">other", "~*", "&*", "+@all",
        ])
        let service = try RunningService.start(redis: url(redis, password: "s3cret"))
        try service.waitUntilStreamsAre("open")
        let reply = try service.post(
            "/events?ack=stored&timeout_ms=20000", json: #"{"type":"t"}"#)
        #expect(reply.status == 200)
        #expect(try service.get("/readyz").json()["status"]?.string == "degraded")
        try service.wait(until: "it says why") {
            try service.status("breakers", "streams", "last_error")?.string?
                .contains("WRONGPASS") == true
        }
        expectDiscretion(service, try service.get("/status").text)
        try redis.command("ACL", "SETUSER", "millrace", ">s3cret")
        try service.waitUntilStreamsAreDrained()
        #expect(try service.storedCount() == 1)
        #expect(try service.terminate() == .exited(0))
    }

    private func url(_ redis: RedisServer, password: String) -> String {
        "redis://millrace:\(password)@127.0.0.1:\(redis.port)/3"
    }

    private func expectDiscretion(_ service: RunningService, _ status: String) {
        #expect(!status.contains("s3cret"))
        #expect(!service.output.contains("s3cret") && !service.errors.contains("s3cret"))
    }
}
