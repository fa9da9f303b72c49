import Primitives
import TestSupport
import Testing

/// What one node is asked to erase is erased on all of them, and in the streams between.
@Suite(.processes, .suiteRedis) struct StreamErasureTests {
    private let secrets = ["ann-7f3a@example.com", "ann's note"]

    private func line(_ index: Int, of who: String) -> String {
        #"{"type":"page","id":"\#(who)-\#(index)","source":"/s","#
            + #""subject":"\#(who)-7f3a@example.com","data":{"note":"\#(who)'s note \#(index)"}}"#
    }

    private func lines(_ range: Range<Int>) -> [String] {
        range.flatMap { [line($0, of: "ann"), line($0, of: "bob")] }
    }

    private func erase(_ service: RunningService) throws -> String {
        let reply = try service.request("DELETE", "/events?subject=ann-7f3a@example.com")
        guard reply.status == 202, let id = try reply.json()["id"]?.string else {
            throw TestError("not begun: \(reply.text)")
        }
        return id
    }

    private func waitUntilFinished(_ id: String, _ service: RunningService) throws {
        try service.wait(until: "\(id) has finished", within: .seconds(60)) {
            try service.get("/admin/erasures").json()["erasures"]?.elements.contains {
                $0["id"]?.string == id && $0["state"]?.string == "finished"
            } == true
        }
    }

    private func wait(for count: Int, on service: RunningService) throws {
        try service.wait(until: "\(count) events are stored", within: .seconds(60)) {
            try service.storedCount() == count
        }
    }

    private func isClean(_ redis: RedisServer) throws -> Bool {
        for key in RedisServer.keys() {
            let entries = try redis.command("XRANGE", key, "-", "+").joined(separator: "\n")
            if secrets.contains(where: { entries.contains($0) }) { return false }
        }
        return true
    }

    @Test(arguments: ["entry", "frame"])
    func `two nodes, a group that reads nothing, and a client that sends again`(
        encoding: String
    ) throws {
        let redis = try RedisServer.ofSuite()
        // What it has not acknowledged is not trimmed, so it has to be deleted.
        try redis.addGroup("stranger")
        let more = ["--stream-encoding", encoding]
        let first = try RunningService.start(redis: redis.url, node: "n1", more)
        let second = try RunningService.start(redis: redis.url, node: "n2", more)
        try first.waitUntilGroupIsMade()
        try second.waitUntilGroupIsMade()
        #expect(try first.post("/events?ack=streamed", lines: lines(0..<200)).status == 202)
        #expect(try second.post("/events?ack=streamed", lines: lines(200..<400)).status == 202)
        for node in [first, second] { try wait(for: 800, on: node) }
        // Answers are kept by both nodes, and in Redis.
        let question = "/query?metric=count&group_by=subject&from=-1h&max_stale=0"
        for node in [first, second] {
            #expect(try node.get(question).text.contains("ann-7f3a"))
        }
        // Some are on their way when it begins.
        #expect(try second.post("/events", lines: lines(400..<500)).status == 202)
        let id = try erase(first)
        for node in [first, second] { try waitUntilFinished(id, node) }
        for node in [first, second] { try wait(for: 500, on: node) }
        for node in [first, second] {
            #expect(FileSearch.find(secrets, in: node.dataDirectory) == [])
            let found = try node.get("/events?subject=ann-7f3a@example.com").json()
            #expect(found["events"]?.array?.isEmpty == true)
        }
        #expect(try isClean(redis), "the streams still have them")
        for node in [first, second] {
            #expect(!(try node.get(question).text.contains("ann-7f3a")))
        }
        for key in try redis.command("KEYS", "millrace:*") where key.contains(":v:") {
            let value = try redis.command("GET", key).joined()
            #expect(!value.contains("ann-7f3a"), "\(key)")
        }

        // A new node reads all that the streams still have.
        let third = try RunningService.start(redis: redis.url, node: "n3", more)
        try wait(for: 500, on: third)
        #expect(try third.status("erasures", "identities_kept")?.integer == 0)
        #expect(try third.terminate() == .exited(0))

        // The same again, each to the other node; and one that is new.
        #expect(try second.post("/events?ack=streamed", lines: lines(0..<200)).status == 202)
        #expect(try first.post("/events?ack=streamed", lines: lines(200..<500)).status == 202)
        #expect(
            try second.post("/events?ack=streamed", lines: [line(9999, of: "ann")]).status == 202)
        for node in [first, second] { try wait(for: 501, on: node) }
        for node in [first, second] { try node.waitUntilStreamsAreDrained() }
        for node in [first, second] {
            #expect(try node.storedCount() == 501)
            #expect(!node.output.contains("ann-7f3a"))
            #expect(try node.terminate() == .exited(0))
        }
    }

    @Test func `a node that was away erases what it had, and keeps what came since`() throws {
        let redis = try RedisServer.ofSuite()
        let first = try RunningService.start(redis: redis.url, node: "n1")
        var second = try RunningService.start(redis: redis.url, node: "n2")
        try first.waitUntilGroupIsMade()
        try second.waitUntilGroupIsMade()
        #expect(try second.post("/events?ack=streamed", lines: lines(0..<100)).status == 202)
        for node in [first, second] { try wait(for: 200, on: node) }
        try second.waitUntilStreamsAreDrained()
        second.kill()
        let id = try erase(first)
        try waitUntilFinished(id, first)
        #expect(
            try first.post("/events?ack=streamed", lines: [line(9999, of: "ann")]).status == 202)
        try wait(for: 101, on: first)
        second = try second.startAgain()
        try waitUntilFinished(id, second)
        for node in [first, second] { try wait(for: 101, on: node) }
        #expect(FileSearch.find(["ann's note 5"], in: second.dataDirectory) == [])
        // A Redis that forgets everything is told again.
        try redis.command("DEL", "millrace:{0}:erasures", "millrace:{0}:erasures:count")
        try first.wait(until: "the erasure is there again", within: .seconds(60)) {
            try redis.command("HEXISTS", "millrace:{0}:erasures", id).first == "1"
                && redis.command("HEXISTS", "millrace:{0}:erasures", "\(id) n2").first == "1"
        }
        for node in [first, second] {
            #expect(try node.storedCount() == 101)
            #expect(try node.terminate() == .exited(0))
        }
    }

    @Test func `while Redis is away it waits, and what was not sent is erased everywhere`() throws {
        let redis = try RedisServer()
        let first = try RunningService.start(redis: redis.url, node: "n1")
        let second = try RunningService.start(redis: redis.url, node: "n2")
        try first.waitUntilGroupIsMade()
        try second.waitUntilGroupIsMade()
        redis.pause()
        defer { redis.resume() }
        #expect(try second.post("/events", lines: lines(0..<100)).status == 202)
        try wait(for: 200, on: second)
        let id = try erase(second)
        try wait(for: 100, on: second)
        let erasures = try second.get("/admin/erasures").json()["erasures"]
        #expect(erasures?[0]?["state"]?.string == "running")
        redis.resume()
        for node in [first, second] { try waitUntilFinished(id, node) }
        for node in [first, second] {
            try wait(for: 100, on: node)
            #expect(FileSearch.find(["ann's note 5"], in: node.dataDirectory) == [])
        }
        // Their identities came along. What is sent again is in a journal until its segment goes.
        #expect(try first.post("/events?ack=streamed", lines: lines(0..<100)).status == 202)
        for node in [first, second] { try node.waitUntilStreamsAreDrained() }
        for node in [first, second] {
            #expect(try node.storedCount() == 100)
            #expect(try node.terminate() == .exited(0))
        }
    }
}
