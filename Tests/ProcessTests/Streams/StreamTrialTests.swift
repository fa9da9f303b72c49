import TestSupport
import Testing

/// Entries that were delivered again and again: what of them is tried, and what is given up.
@Suite(.processes, .suiteRedis) struct StreamTrialTests {
    private static let group = "n1"

    private static func event(_ id: String, size: Int = 1) -> String {
        let text = String(repeating: "x", count: size)
        return
            #"{"specversion":"1.0","id":"\#(id)","type":"t","source":"/redis","data":"\#(text)"}"#
    }

    /// Adds entries, and gives them to a consumer of the node's group, which does nothing with them.
    /// - Returns: their ids.
    private func give(
        _ events: [(id: String, size: Int)], to consumer: String, _ key: String,
        of redis: RedisServer
    ) throws -> [String] {
        let group = StreamTrialTests.group
        try redis.command("XGROUP", "CREATE", key, group, "0", "MKSTREAM")
        for (id, size) in events {
            try redis.command("XADD", key, "*", "event", StreamTrialTests.event(id, size: size))
        }
        let entries = try redis.command(
            "XREADGROUP", "GROUP", group, consumer, "COUNT", "1000", "STREAMS", key, ">"
        ).filter { $0.contains("-") && $0.allSatisfy { $0.isNumber || $0 == "-" } }
        try #require(entries.count == events.count)
        return entries
    }

    private func waitUntilNothingIsPending(
        _ service: RunningService, _ key: String, of redis: RedisServer
    ) throws {
        try service.wait(until: "nothing is pending") {
            try redis.command("XPENDING", key, StreamTrialTests.group).first == "0"
        }
    }

    private func quarantined(_ service: RunningService) throws -> [String] {
        try service.get("/events/quarantine").json().quarantined.compactMap {
            $0["code"]?.string
        }
    }

    @Test func `what ended another consumer again and again is not tried here either`() throws {
        let redis = try RedisServer.ofSuite()
        let key = RedisServer.keys()[3]
        let events = ["poison", "suspect", "fresh", "other"].map { (id: $0, size: 1) }
        let entries = try give(events, to: "gone", key, of: redis)
        for (entry, deliveries) in zip(entries, ["25", "9"]) {
            try redis.command(
                "XCLAIM", key, StreamTrialTests.group, "gone", "0", entry, "RETRYCOUNT", deliveries)
        }
        let service = try RunningService.start(
            redis: redis.url, ["--stream-claim-after", "300ms"])
        try service.wait(until: "the others are stored") {
            try Set(service.storedIDs()) == ["suspect", "fresh", "other"]
        }
        try waitUntilNothingIsPending(service, key, of: redis)
        #expect(try quarantined(service) == ["given_up"])
        #expect(try service.status("stream", "consumer", "claimed")?.integer == 4)
        #expect(try service.terminate() == .exited(0))
    }

    @Test func `an entry that Redis sent in vain, to one process after another, is stored`() throws
    {
        let redis = try RedisServer()
        let key = RedisServer.keys()[1]
        // Too large for the proxy below, unlike all other answers: XINFO shows the first and the
        // last entry only.
        let entries = try give(
            [("first", 1), ("large", 40_000), ("last", 1)], to: "n1", key, of: redis)
        try redis.command(
            "XCLAIM", key, StreamTrialTests.group, "n1", "0", entries[1], "RETRYCOUNT", "18")
        let proxy = try FaultProxy(to: redis.port, .cutLarge(30_000))
        defer { proxy.stop() }
        var service = try RunningService.start(redis: "redis://127.0.0.1:\(proxy.port)")
        for round in 0..<2 {
            try service.wait(until: "it has failed often", every: .milliseconds(20)) {
                try service.status("stream", "consumer", "failures")?.integer ?? 0 > 5
            }
            if round == 1 { proxy.set(.none) }
            service.kill()
            service = try service.startAgain()
        }
        try service.wait(until: "all are stored", within: .seconds(60)) {
            try Set(service.storedIDs()) == ["first", "large", "last"]
        }
        try waitUntilNothingIsPending(service, key, of: redis)
        #expect(try quarantined(service).isEmpty)
        #expect(try service.terminate() == .exited(0))
    }

    @Test func `what is stored and could not be acknowledged comes again, and does no harm`() throws
    {
        let redis = try RedisServer()
        let key = RedisServer.keys()[2]
        let entries = try give(
            (0..<150).map { ("e\($0)", 1) }, to: "n1", key, of: redis)
        try redis.command(
            "XCLAIM", key, StreamTrialTests.group, "n1", "0", entries[7], "RETRYCOUNT", "12")
        try redis.command("ACL", "SETUSER", "default", "-xack")
        var service = try RunningService.start(redis: redis.url)
        for _ in 0..<2 {
            try service.wait(until: "they are stored, and it fails") {
                try service.storedCount() > 100
                    && service.status("stream", "consumer", "failures")?.integer ?? 0 > 2
            }
            service.kill()
            service = try service.startAgain()
        }
        try redis.command("ACL", "SETUSER", "default", "+xack")
        try waitUntilNothingIsPending(service, key, of: redis)
        let stored = try service.storedIDs()
        #expect(stored.count == 150 && Set(stored).count == 150)
        #expect(try quarantined(service).isEmpty)
        #expect(try service.status("stream", "consumer", "lost")?.integer == 0)
        #expect(try service.terminate() == .exited(0))
    }

    @Test func `of what small frames hold, no more than a part is unpacked at a time`() throws {
        let redis = try RedisServer.ofSuite()
        try redis.addGroup("sleeper")
        let writer = try RunningService.start(
            redis: redis.url, node: "writer", ["--stream-encoding", "frame"])
        try writer.waitUntilStreamsAre("ok")
        let text = String(repeating: "x", count: 200_000)
        let count = 120
        for number in 0..<count {
            let reply = try writer.post(
                "/events?ack=streamed",
                json: #"{"id":"e\#(number)","type":"t","source":"/s","data":"\#(text)"}"#)
            #expect(reply.status == 202)
        }
        let reader = try RunningService.start(redis: redis.url)
        try reader.wait(until: "it has them all") { try reader.storedCount() == count }
        try waitUntilNothingIsPending(reader, RedisServer.keys()[0], of: redis)
        let again = try reader.status("stream", "consumer", "redelivered")?.integer ?? 0
        print("\(again) frames of \(count) were read again")
        #expect(again > 0)
        #expect(try reader.status("stream", "consumer", "failures")?.integer == 0)
        #expect(try reader.status("events", "duplicates")?.integer == 0)
        for node in [writer, reader] { #expect(try node.terminate() == .exited(0)) }
    }
}
