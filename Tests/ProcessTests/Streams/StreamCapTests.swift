import Primitives
import TestSupport
import Testing

/// What the caps of the streams cut, and whom it concerns.
@Suite(.processes, .suiteRedis) struct StreamCapTests {
    @Test func `a cap that cuts unread entries says so, and the node still has everything`()
        throws
    {
        let redis = try RedisServer.ofSuite()
        try redis.addGroup("sleeper")
        let service = try RunningService.start(redis: redis.url, ["--stream-max-bytes", "1MiB"])
        let load = EventLoad(on: service, clients: 4, prefix: "c", seed: 5, subjects: 20)
        try service.wait(until: "the cap cuts") {
            try service.status("stream", "cut_unread")?.integer ?? 0 > 0
        }
        let accounting = try service.account(for: load)
        #expect(accounting.isRight, "\(accounting)")
        #expect(service.records.contains { $0["cap"]?.string == "max-bytes" })
        #expect(try service.terminate() == .exited(0))
    }

    @Test func `a cap of another node costs this one nothing of its own`() throws {
        let redis = try RedisServer.ofSuite()
        try redis.addGroup("sleeper")
        let service = try RunningService.start(redis: redis.url, node: "a")
        let cutter = try RunningService.start(
            redis: redis.url, node: "b", ["--stream-max-bytes", "1MiB"])
        for node in [service, cutter] { try node.waitUntilStreamsAre("ok") }
        // It reads no further than its queue, which the other's events fill, so what is cut has not
        // been given to it.
        let blocker = try StoreBlocker(service)
        let load = EventLoad(on: service, clients: 2, prefix: "c", seed: 6, subjects: 20)
        let others = EventLoad(on: cutter, clients: 4, prefix: "o", seed: 7, subjects: 20)
        try service.wait(until: "the other node cuts twice") {
            cutter.records.filter { $0["cap"]?.string == "max-bytes" }.count > 4
        }
        others.stop()
        blocker.release()
        try service.waitForMore(of: load)
        load.stop()
        try service.waitUntilStreamsAreDrained()
        let accounting = Accounting(
            acknowledged: load.acknowledged, sent: load.sent,
            stored: try service.storedMarks().filter { $0.hasPrefix("c") })
        #expect(accounting.isRight, "\(accounting)")
        #expect(
            service.records.contains {
                $0["message"]?.string?.hasSuffix("this node may not have read") == true
            })
        #expect(try service.status("stream", "cut_unread")?.integer == 0)
        for node in [service, cutter] { #expect(try node.terminate() == .exited(0)) }
    }

    @Test func `a group that is made later is not told of earlier cuts`() throws {
        let redis = try RedisServer.ofSuite()
        try redis.addGroup("sleeper")
        let first = try RunningService.start(redis: redis.url, ["--stream-max-bytes", "1MiB"])
        let load = EventLoad(on: first, clients: 4, prefix: "l", seed: 7, subjects: 20)
        try first.wait(until: "the cap cuts") {
            try first.status("stream", "cut_unread")?.integer ?? 0 > 0
        }
        load.stop()
        try first.waitUntilStreamsAreDrained()
        // The cap is looked at about once a second, and what it cuts from here on is no earlier cut.
        var cutCount: Int?
        try first.wait(until: "the cap cuts no more", every: .seconds(3)) {
            let count = try first.status("stream", "cut_unread")?.integer
            defer { cutCount = count }
            return count == cutCount
        }
        let second = try RunningService.start(redis: redis.url, node: "n2")
        try second.wait(until: "it has what was left") { try second.storedCount() > 0 }
        let errors = second.records.filter { $0["level"]?.string == "error" }
        #expect(errors.isEmpty, "\(errors)")
        for node in [first, second] { #expect(try node.terminate() == .exited(0)) }
    }

    @Test func `a node that was away while a cap cut says so`() throws {
        let redis = try RedisServer.ofSuite()
        try redis.addGroup("sleeper")
        let absent = try RunningService.start(redis: redis.url, node: "a")
        try absent.waitUntilStreamsAre("ok")
        #expect(try absent.post("/events?ack=stored", json: #"{"type":"t"}"#).status == 200)
        #expect(try absent.terminate() == .exited(0))
        let cutter = try RunningService.start(
            redis: redis.url, node: "b", ["--stream-max-bytes", "1MiB"])
        let load = EventLoad(on: cutter, clients: 4, prefix: "w", seed: 9, subjects: 20)
        try cutter.wait(until: "the cap cuts") {
            try cutter.status("stream", "cut_unread")?.integer ?? 0 > 0
        }
        load.stop()
        let back = try absent.startAgain()
        try back.wait(until: "it says what it misses") {
            back.records.contains {
                $0["message"]?.string?.hasSuffix("this node may not have read") == true
            }
        }
        for node in [back, cutter] { #expect(try node.terminate() == .exited(0)) }
    }

    @Test(arguments: ["-eval", "-set", "-memory"])
    func `where a cap lacks rights it says so once`(rule: String) throws {
        let redis = try RedisServer()
        try redis.addGroup("sleeper")
        try redis.command("ACL", "SETUSER", "default", rule)
        let service = try RunningService.start(redis: redis.url, ["--stream-max-bytes", "1MiB"])
        let load = EventLoad(on: service, clients: 4, prefix: "r", seed: 8, subjects: 20)
        let complaint = "the caps of the streams do not work as they should"
        try service.wait(until: "it complains") {
            service.records.contains { $0["message"]?.string == complaint }
        }
        try service.waitForMore(1000, of: load)
        let accounting = try service.account(for: load)
        #expect(accounting.isRight, "\(accounting)")
        let complaints = service.records.filter { $0["message"]?.string == complaint }
        #expect(complaints.count == 1 && complaints.first?["level"]?.string == "error")
        // Nor does it cut what others could then miss unawares.
        #expect(try service.status("stream", "cut_unread")?.integer == 0)
        #expect(try service.terminate() == .exited(0))
    }

    @Test func `a cap on age goes by the time of Redis, which its ids carry`() throws {
        let redis = try RedisServer.ofSuite()
        try redis.addGroup("sleeper")
        let key = RedisServer.keys()[0]
        let seconds = Int(try redis.command("TIME").first ?? "") ?? 0
        for (id, age) in [("old", 5000), ("new", 3000)] {
            try redis.command(
                "XADD", key, "\((seconds - age) * 1000)-1", "event",
                #"{"specversion":"1.0","id":"\#(id)","type":"t","source":"/s"}"#)
        }
        let service = try RunningService.start(redis: redis.url, ["--stream-max-age", "4000s"])
        try service.wait(until: "the old one is cut") {
            try redis.command("XLEN", key) == ["1", ""]
        }
        #expect(service.records.contains { $0["cap"]?.string == "max-age" })
        #expect(try redis.values(of: "event").first?.contains("new") == true)
        #expect(try service.terminate() == .exited(0))
    }
}
