import Primitives
import TestSupport
import Testing

/// A producer that is not ours, and what is no event.
@Suite(.processes) struct ForeignProducerTests {
    @Test func `its events are stored and delivered, and its rubbish stops neither`() throws {
        let receiver = try Receiver()
        let cluster = try SinkCluster(receiver, nodes: [("a", "serve")])
        let (redis, service) = (cluster.redis, cluster.nodes[0])
        try service.waitUntilStreamsAre("ok")
        let count = 500
        let posted = try service.post(
            "/events", lines: (0..<50).map { #"{"id":"e\#($0)","source":"/t","type":"x"}"# })
        #expect(posted.status == 202)
        let wrote = try ForeignClient.run("writer.py", ["\(redis.port)", "\(count)", "5"])
        print("redis-py: \(wrote)")
        let bad = try #require(wrote["bad"]?.integer)
        #expect(bad > wrote["kinds"]?.integer ?? .max)
        let all = Set((0..<count).map { "w\($0)" } + (0..<50).map { "e\($0)" })
        try service.wait(until: "the events are stored") {
            try service.storedCount() >= all.count
        }
        try service.wait(until: "the rubbish is set aside") {
            try service.status("store", "quarantine", "rows")?.integer ?? 0 >= bad
        }
        try service.wait(until: "all are delivered") { Set(receiver.taken) == all }
        let stored = try service.storedIDs()
        #expect(Set(stored) == all && stored.count == all.count)
        #expect(try service.status("store", "quarantine", "rows")?.integer == bad)
        #expect(receiver.taken.count == all.count)
        // Whatever went out was JSON.
        for delivery in receiver.deliveries { _ = try JSONTree.parse(delivery.text) }
        #expect(try cluster.sink(0)["lost"]?.integer == bad)
        let events = try service.get("/events?type=foreign.order&limit=1").json()
        #expect(events["events"]?[0]?["data"]?["text"]?.string == "é\n€ 😀")
        for group in ["a", SinkCluster.group] {
            for key in RedisServer.keys() {
                try service.wait(until: "nothing is pending") {
                    try redis.command("XPENDING", key, group).first == "0"
                }
            }
        }
        #expect(try service.terminate() == .exited(0))
        #expect(service.errors.isEmpty)
    }

    @Test func `a worker lists what it set aside, and does not try it again`() throws {
        let cluster = try SinkCluster(Receiver(), nodes: [("w", "worker")])
        let (redis, worker) = (cluster.redis, cluster.nodes[0])
        for text in [#"{"secret":"s3cr3t"}"#, "s3cr3t", #"{"id":"1"}"#] {
            try redis.command("XADD", RedisServer.keys()[0], "*", "event", text)
        }
        try worker.wait(until: "they are listed") {
            try worker.get("/events/quarantine").json().quarantined.count == 3
        }
        let page = try worker.get("/events/quarantine?limit=2")
        #expect(!page.text.contains("s3cr3t"))
        let next = try #require(try page.json()["next"]?.string)
        let rest = try worker.get("/events/quarantine?limit=2&cursor=\(next)").json()
        #expect(rest.quarantined.count == 1 && rest["next"] == .null)
        #expect(rest.quarantined.first?["preview"]?["secret"]?.string == "[REDACTED]")
        #expect(
            rest.quarantined.first?["stream_entry"]?.string?
                .hasPrefix(RedisServer.keys()[0] + " ") == true)
        // What a group is given again is set aside once.
        try redis.command("XGROUP", "SETID", RedisServer.keys()[0], "w", "0")
        try redis.command("XADD", RedisServer.keys()[0], "*", "event", "another")
        try worker.wait(until: "the other one is listed") {
            try worker.get("/events/quarantine").json().quarantined.count > 3
        }
        #expect(try worker.get("/events/quarantine").json().quarantined.count == 4)
        #expect(try worker.status("stream", "consumer", "unreadable")?.integer == 7)
        let post = try worker.post("/events/quarantine", json: "")
        #expect(post.status == 405 && post.header("Allow") == "GET, HEAD, OPTIONS")
        #expect(try worker.post("/events/quarantine/replay", json: "").status == 404)
        #expect(try worker.get("/events").status == 404)
        #expect(try worker.terminate() == .exited(0))
    }

    @Test func `an entry that was delivered again and again goes to quarantine, others do not`()
        throws
    {
        let redis = try RedisServer()
        let key = RedisServer.keys()[2]
        try redis.command("XGROUP", "CREATE", key, "n1", "0", "MKSTREAM")
        for id in ["poison", "suspect", "fresh"] {
            try redis.command(
                "XADD", key, "*", "id", id, "type", "t", "event",
                #"{"specversion":"1.0","id":"\#(id)","type":"t","source":"/redis"}"#)
        }
        // What a node leaves behind that dies of the first entry again and again.
        let entries = try redis.command(
            "XREADGROUP", "GROUP", "n1", "n1", "COUNT", "3", "STREAMS", key, ">"
        ).filter { $0.contains("-") && $0.allSatisfy { $0.isNumber || $0 == "-" } }
        try #require(entries.count == 3)
        for (entry, deliveries) in zip(entries, ["25", "9"]) {
            try redis.command("XCLAIM", key, "n1", "n1", "0", entry, "RETRYCOUNT", deliveries)
        }
        let service = try RunningService.start(redis: redis.url)
        try service.wait(until: "the others are stored") {
            try Set(service.storedIDs()) == ["suspect", "fresh"]
        }
        try service.wait(until: "nothing is pending") {
            try redis.command("XPENDING", key, "n1").first == "0"
        }
        let list = try service.get("/events/quarantine").json()
        let rows = try #require(list.object?.values.compactMap(\.array).first)
        #expect(rows.compactMap { $0["code"]?.string } == ["given_up"])
        #expect(try service.terminate() == .exited(0))
    }
}
