import Primitives
import Testing
import TestSupport

/// The way of events through Redis while all is well.
@Suite(.processes, .suiteRedis) struct StreamTests {
    @Test func `an event can be read by any Redis client and is answered by queries`() throws {
        let redis = try RedisServer.ofSuite()
        // What every group has acknowledged is soon trimmed; this one acknowledges nothing.
        try redis.addGroup("stranger")
        let service = try RunningService.start(redis: redis.url)
        let reply = try service.post(
            "/events?ack=streamed",
            json: #"{"id":"7","type":"paid","source":"/shop","subject":"o1","data":{"total":9.5}}"#)
        #expect(reply.status == 202)
        #expect(try reply.json()["ack"]?.string == "streamed")
        let events = try redis.values(of: "event")
        #expect(events.count == 1)
        let event = try JSONTree.parse(Array((events.first ?? "").utf8))
        #expect(event["specversion"]?.string == "1.0" && event["id"]?.string == "7")
        #expect(event["data"]?["total"]?.number == 9.5)
        #expect(try redis.values(of: "id") == ["7"])
        #expect(try redis.values(of: "type") == ["paid"])
        let origin = try #require(try redis.values(of: "origin").first)
        // The node, its journal and the record.
        #expect(origin.wholeMatch(of: /n1:[0-9a-f]{12}-1/) != nil, "\(origin)")
        let stored = try service.post("/events?ack=stored", json: #"{"type":"x","a":{"b":[1]}}"#)
        #expect(stored.status == 200)
        #expect(try service.storedCount() == 2)
        try service.waitUntilStreamsAreDrained()
        let ids = try service.storedIDs()
        #expect(Set(ids) == Set(try redis.values(of: "id")))
        #expect(try service.get("/readyz").json()["status"]?.string == "ready")
        #expect(try service.terminate() == .exited(0))
        #expect(service.errors.isEmpty)
    }

    @Test func `what happens on the way is told by status and metrics alike`() throws {
        let redis = try RedisServer.ofSuite()
        try redis.addGroup("stranger")
        let service = try RunningService.start(redis: redis.url)
        try service.waitUntilGroupIsMade()
        let lines = (0..<100).map { #"{"type":"t","subject":"s\#($0)"}"# }
        #expect(try service.post("/events?ack=streamed", lines: lines).status == 202)
        try service.waitUntilStreamsAreDrained()
        try service.wait(until: "the look at the streams has come so far") {
            let stream = try service.status("stream")
            return stream?["length"]?.integer == 100 && stream?["lag"]?.integer == 0
                && stream?["pending"]?.integer == 0
        }
        let stream = try #require(try service.status("stream"))
        #expect(stream["forwarder"]?["position"]?.integer == 1)
        #expect(stream["forwarder"]?["forwarded"]?.integer == 100)
        #expect(stream["consumer"]?["read"]?.integer == 100)
        #expect(stream["partitions"]?.array?.count == 4)

        let families = try PrometheusText(service.get("/metrics").text).families
        func sum(_ name: String) -> Double? { families[name]?.samples.values.reduce(0, +) }
        #expect(sum("millrace_stream_length_entries") == 100)
        #expect(families["millrace_stream_length_entries"]?.samples.count == 4)
        #expect(sum("millrace_stream_pending_entries") == 0)
        #expect(sum("millrace_stream_lag_entries") == 0)
        #expect(sum("millrace_stream_memory_bytes") ?? 0 > 0)
        #expect(sum("millrace_stream_degraded") == 0)
        #expect(sum("millrace_forwarder_position") == 1)
        #expect(sum("millrace_forwarder_lag_records") == 0)
        #expect(sum("millrace_forwarder_events_total") == 100)
        #expect(sum("millrace_stream_read_entries_total") == 100)
        for name in ["stream_losses", "stream_claimed_entries", "stream_unreadable_entries"] {
            #expect(sum("millrace_\(name)_total") == 0)
        }
        // One of the states of each breaker is 1.
        let states = families["millrace_breaker_state"]?.samples ?? [:]
        #expect(states[#"millrace_breaker_state{breaker="streams",state="closed"}"#] == 1)
        #expect(states.values.reduce(0, +) == Double(states.count / 5))
        #expect(families["db_client_operation_duration_seconds"]?.type == "histogram")
        #expect(try service.terminate() == .exited(0))
    }

    @Test(arguments: ["entry", "frame"])
    func `under load everything arrives once, and a restart brings nothing twice`(
        encoding: String
    ) throws {
        let redis = try RedisServer.ofSuite()
        let service = try RunningService.start(
            redis: redis.url, ["--stream-encoding", encoding])
        try service.waitUntilGroupIsMade()
        let load = EventLoad(
            on: service, clients: 4, prefix: "e", seed: 1, pause: .milliseconds(1), subjects: 20)
        try service.wait(until: "2000 events are taken") { load.acknowledgedCount > 2000 }
        let accounting = try service.account(for: load)
        #expect(accounting.isRight, "\(accounting)")
        #expect(load.statuses.keys.allSatisfy { $0 == 202 })
        // What comes back of its own is not stored a second time.
        try service.wait(until: "all of it came back") { try redis.isDone(group: "n1") }
        print("\(encoding): \(accounting)")
        #expect(try service.status("events", "duplicates")?.integer == 0)
        #expect(try service.status("stream", "forwarder", "losses")?.integer == 0)
        #expect(try service.status("stream", "consumer", "read")?.integer ?? 0 > 0)
        #expect(try service.terminate() == .exited(0))
        let successor = try service.startAgain()
        try successor.waitUntilStreamsAreDrained()
        #expect(try successor.storedCount() == accounting.stored)
        #expect(try successor.status("events", "duplicates")?.integer == 0)
        #expect(try successor.terminate() == .exited(0))
    }

    @Test func `a store that lost its last commits takes them from the journal`() throws {
        let redis = try RedisServer()
        let service = try RunningService.start(redis: redis.url)
        try service.waitUntilStreamsAre("ok")
        let reader = try StoreBlocker(service, .reading)
        let count = 3000
        for start in stride(from: 0, to: count, by: 100) {
            let lines = (start..<start + 100).map { #"{"id":"e\#($0)","source":"/t","type":"t"}"# }
            #expect(try service.post("/events", lines: lines).status == 202)
        }
        try service.waitUntilStreamsAreDrained()
        #expect(try service.storedCount() == count)
        service.kill()
        reader.release()
        // As after a power failure: the group acknowledged what the file does not have.
        for name in ["store.db-wal", "store.db-shm"] {
            FileSystem.remove(service.dataDirectory + "/" + name)
        }
        let successor = try service.startAgain()
        try successor.wait(until: "all are stored again") {
            try successor.storedCount() == count
        }
        #expect(try Set(successor.storedIDs()).count == count)
        // None of them was left in the file.
        #expect(try successor.status("events", "stored")?.integer == count)
        #expect(try successor.terminate() == .exited(0))
    }

    @Test func `what clients may send comes through unchanged`() throws {
        let redis = try RedisServer.ofSuite()
        let service = try RunningService.start(redis: redis.url, ["--json-depth", "64"])
        let deep = String(repeating: "[", count: 62) + String(repeating: "]", count: 62)
        let lines = [
            #"{"type":"flat","a":"\u00e9\n\"","b":\#(deep)}"#,
            #"{"type":"odd","data":1,"datacontenttype":"x","foo":"[1,2]","n":-7}"#,
            #"{"type":"null","data":null}"#,
            #"{"type":"q\"\\uote","id":"\u0022","source":"/a b","subject":"ü","time":"2020-01-01T00:00:00.5+01:00"}"#,
            #"{"type":"own","id":"01890a5d-ac96-774b-bcce-b302099a8057","source":"/x","time":"2020-01-01T00:00:00Z"}"#,
        ]
        let embedded = try RunningService.start(["--json-depth", "64"])
        for node in [service, embedded] {
            let reply = try node.post("/events?ack=stored&timeout_ms=20000", lines: lines)
            #expect(reply.status == 200, "\(reply.text)")
        }
        let (streamed, direct) = (try contents(of: service), try contents(of: embedded))
        #expect(streamed == direct && direct.count == lines.count)
        #expect(try service.status("store", "quarantine", "rows")?.integer == 0)
        #expect(try service.terminate() == .exited(0))
    }

    /// Type, data and the like by type; ids and times that the service gave are left out.
    private func contents(of service: RunningService) throws -> [String: String] {
        let text = try service.get("/events?limit=100").text
        var found: [String: String] = [:]
        for part in text.split(separator: #"{"specversion":"1.0","id":"#).dropFirst() {
            let isOwn = part.hasPrefix("\"0189") || part.hasPrefix("\"\\\"")
            let rest = part.drop { $0 != "," }
            let time = rest.split(separator: #""time":""#)
            let tail = isOwn ? String(rest) : String(time[0] + time[1].dropFirst(24))
            found[String(rest.prefix(16))] = tail.filter { !"],}".contains($0) }
        }
        return found
    }

    @Test func `an operator forces a breaker open and lets it go again`() throws {
        let redis = try RedisServer.ofSuite()
        try redis.addGroup("stranger")
        let service = try RunningService.start(redis: redis.url)
        try service.waitUntilStreamsAre("ok")
        let reply = try service.putBreaker("streams", #"{"state":"forced_open"}"#)
        #expect(reply.status == 200)
        #expect(try reply.json()["state"]?.string == "forced_open")
        let ready = try service.get("/readyz")
        #expect(ready.status == 200)
        #expect(try ready.json()["status"]?.string == "degraded")
        #expect(
            try service.post("/events?ack=stored&timeout_ms=20000", json: #"{"type":"a"}"#).status
                == 200)
        let streamed = try service.post(
            "/events?ack=streamed&timeout_ms=50", json: #"{"type":"b"}"#)
        #expect(streamed.status == 202)
        #expect(try streamed.json()["ack"]?.string == "journaled")
        #expect(try service.putBreaker("streams", #"{"state":"auto"}"#).status == 200)
        try service.waitUntilStreamsAreDrained()
        #expect(try redis.values(of: "type").sorted() == ["a", "b"])
        #expect(try service.putBreaker("nothing", #"{"state":"auto"}"#).status == 404)
        #expect(try service.putBreaker("streams", #"{"state":"ajar"}"#).status == 422)
        #expect(try service.putBreaker("streams", "{").status == 400)
        #expect(try service.terminate() == .exited(0))
    }

    @Test func `two nodes each hold everything, and a stranger's group reads along`() throws {
        let redis = try RedisServer.ofSuite()
        try redis.addGroup("stranger")
        let nodes = try ["a", "b"].map { try RunningService.start(redis: redis.url, node: $0) }
        let all = try RunningService.load(nodes)
        for node in nodes {
            try node.waitUntilStreamsAreDrained()
            try node.wait(until: "it holds everything") { try node.storedCount() == all.count }
            #expect(Set(try node.storedIDs()) == all)
        }
        #expect(Set(try redis.readAll(group: "stranger")) == all)
        // Nothing was trimmed that the stranger had not read, and now it may be.
        #expect(try nodes[0].status("stream", "cut_unread")?.integer == 0)
        for node in nodes { #expect(try node.terminate() == .exited(0)) }
    }

    @Test func `what is no event goes to quarantine and out of the way`() throws {
        let redis = try RedisServer.ofSuite()
        let service = try RunningService.start(redis: redis.url)
        try service.waitUntilStreamsAre("ok")
        let key = RedisServer.keys()[1]
        try redis.command("XADD", key, "*", "event", "no json")
        try redis.command("XADD", key, "*", "something", "else")
        try redis.command("XADD", key, "*", "frame", "no gzip", "count", "3")
        try redis.command(
            "XADD", key, "*", "event", #"{"id":"1","type":"foreign","source":"/redis"}"#)
        try service.wait(until: "they are set aside") {
            try service.status("store", "quarantine", "rows")?.integer == 3
        }
        try service.wait(until: "the good one is stored") { try service.storedIDs() == ["1"] }
        try service.wait(until: "nothing is pending") {
            try redis.command("XPENDING", key, "n1").first == "0"
        }
        #expect(try service.terminate() == .exited(0))
    }

    @Test func `what an operator changes in Redis is seen with the next connection`() throws {
        let redis = try RedisServer()
        let service = try RunningService.start(redis: redis.url)
        try service.wait(until: "it knows its Redis") {
            try service.status("stream", "server", "maxmemory_policy")?.string == "noeviction"
        }
        try redis.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        try redis.command("CLIENT", "KILL", "TYPE", "normal")
        try service.wait(until: "it sees the change") {
            try service.status("stream", "server", "maxmemory_policy")?.string == "allkeys-lru"
        }
        #expect(
            service.records.contains { $0["message"]?.string == "redis may lose events" })
        #expect(try service.terminate() == .exited(0))
    }
}
