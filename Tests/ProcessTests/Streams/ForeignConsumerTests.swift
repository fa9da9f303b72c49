import TestSupport
import Testing

/// A consumer that is not ours, with a group of its own.
@Suite(.processes) struct ForeignConsumerTests {
    private static let count = 2000

    /// Data of every kind of JSON, by turns.
    private static func data(_ number: Int) -> String {
        switch number % 6 {
        case 0: #"{"total":\#(number).25,"items":[{"sku":"a-\#(number)"},{}],"paid":true}"#
        case 1: #""text \u00e9\n\"\\ \ud83d\ude00 €""#
        case 2: "\(number)"
        case 3: "null"
        case 4: #"[1,[2,[3]],-0.5e-3,1e21,""]"#
        default: "{}"
        }
    }

    private static func event(_ number: Int) -> String {
        let digits = "\(1000 + number % 1000)".dropFirst()
        return #"{"id":"e\#(number)","type":"order.\#(number % 3)","source":"/shop","#
            + #""subject":"s\#(number % 40)","time":"2026-01-02T03:04:05.\#(digits)Z","#
            + #""traceid":"t\#(number)","data":\#(data(number))}"#
    }

    private func length(_ partition: Int, of redis: RedisServer) throws -> Int {
        let key = RedisServer.keys()[partition]
        return Int(try redis.command("XLEN", key).first ?? "") ?? -1
    }

    private func reader(_ redis: RedisServer, _ arguments: String...) throws -> JSONTree {
        try ForeignClient.run("reader.py", ["\(redis.port)", "stranger"] + arguments)
    }

    @Test func `reads every event as it was posted, and holds what it has not acknowledged`()
        throws
    {
        let redis = try RedisServer()
        let service = try RunningService.start(redis: redis.url)
        _ = try reader(redis, "create")
        let lines = (0..<ForeignConsumerTests.count).map(ForeignConsumerTests.event)
        for start in stride(from: 0, to: lines.count, by: 100) {
            let reply = try service.post("/events", lines: lines[start..<start + 100])
            #expect(reply.status == 202)
        }
        try service.waitUntilStreamsAreDrained()
        try service.directory.write("posted", lines.joined(separator: "\n"))
        let seen = try reader(redis, "read", "\(lines.count)", service.directory.file("posted"))
        print("redis-py: \(seen)")
        #expect(seen["faults"]?.array == [])
        #expect(seen["read"]?.integer == lines.count && seen["distinct"]?.integer == lines.count)
        let parts = (seen["partitions"]?.array ?? []).compactMap(\.integer)
        try #require(parts.count == 4 && parts.allSatisfy { $0 > 200 })

        // A node of a stream is trimmed as a whole, so a few may stay.
        let rest = 120
        _ = try reader(redis, "ack", "0", "\(parts[0])")
        _ = try reader(redis, "ack", "1", "\(parts[1] / 2)")
        try service.wait(until: "what it acknowledged is trimmed") {
            try length(0, of: redis) < rest && length(1, of: redis) < parts[1] / 2 + rest
        }
        #expect(try length(1, of: redis) >= parts[1] - parts[1] / 2)
        // The same pass looked at these.
        #expect(try length(2, of: redis) == parts[2] && length(3, of: redis) == parts[3])
        for partition in 1..<4 {
            _ = try reader(redis, "ack", "\(partition)", "\(parts[partition])")
        }
        try service.wait(until: "all of it is trimmed") {
            try (0..<4).allSatisfy { try length($0, of: redis) < rest }
        }
        for key in RedisServer.keys() {
            #expect(try redis.command("XPENDING", key, "stranger").first == "0")
        }
        #expect(try service.status("stream", "cut_unread")?.integer == 0)
        #expect(try service.storedCount() == lines.count)
        #expect(try service.terminate() == .exited(0))
    }

    @Test func `nodes that write frames and entries read each other`() throws {
        let redis = try RedisServer()
        let nodes = try [("a", "frame"), ("b", "entry")].map {
            try RunningService.start(redis: redis.url, node: $0.0, ["--stream-encoding", $0.1])
        }
        for node in nodes { try node.waitUntilGroupIsMade() }
        let all = try RunningService.load(nodes)
        for node in nodes {
            try node.waitUntilStreamsAreDrained()
            try node.wait(until: "it holds everything") { try node.storedCount() >= all.count }
            let accounting = Accounting(
                acknowledged: all, sent: all, stored: try node.storedIDs())
            #expect(accounting.isRight, "\(accounting)")
            // After a failure it reads again what the other node sent.
            let duplicates = try node.status("events", "duplicates")?.integer
            let failures = try node.status("stream", "consumer", "failures")?.integer
            #expect(duplicates == 0 || failures != 0)
            #expect(try node.status("stream", "consumer", "unreadable")?.integer == 0)
        }
        let frames = try redis.values(of: "count").compactMap { Int($0) }
        print("frames: \(frames.count) with \(frames.reduce(0, +)) of \(all.count) events")
        #expect(try redis.values(of: "id").count + frames.reduce(0, +) <= all.count)
        for node in nodes { #expect(try node.terminate() == .exited(0)) }
    }
}
