import Primitives
import TestSupport
import Testing

/// The CloudEvents SDK for Python, and a check of URI references, as judges of what leaves.
@Suite(.processes, .suiteRedis) struct StrictReceiverTests {
    /// Sources that are no URI references, and how they leave.
    static let sources = [
        ("web 1", "web%201"), ("caf\u{E9}", "caf%C3%A9"), ("10.0.0.1:8080", "10.0.0.1%3A8080"),
        ("a|b\\c\"d", "a%7Cb%5Cc%22d"), ("100%", "100%25"),
        ("https://a b:x/[y]#z#", "https://a%20b%3Ax/%5By%5D#z%23"),
        ("/a%20b", "/a%20b"), ("web-1", "web-1"),
    ]

    private func lines(of receiver: Receiver) -> String {
        receiver.deliveries.map(\.text).joined(separator: "\n")
    }

    @Test(arguments: [false, true])
    func `a list, a tail and a sink give out nothing that a strict receiver refuses`(
        withRedis: Bool
    ) throws {
        let redis = withRedis ? try RedisServer.ofSuite() : nil
        let receiver = try Receiver()
        let folder = try TemporaryDirectory()
        try folder.write("millrace.yaml", "sinks: { audit: { url: \"\(receiver.url)\" } }\n")
        let service = try RunningService.start(
            ["--config", folder.file("millrace.yaml")]
                + (redis.map { ["--redis-url", $0.url] } ?? []))
        let tail = try EventTail(service)
        let url = "http://127.0.0.1:\(service.port)"
        let sent = try #require(
            try ForeignClient.run("cloud_events.py", ["send", url])["sent"]?.integer)
        let odd = Self.sources.map { source, _ in
            var line = JSONObjectWriter()
            line.add("type", "odd")
            line.add("source", source)
            return line.finish().text
        }
        #expect(try service.post("/events?ack=stored", lines: odd).status == 200)
        // The members of a plain event without data are its data, whatever their names are.
        let plain = #"{"type":"flat","userId":5,"nested":{"k":[1]},"ratio":1.5,"big":99999999999}"#
        #expect(try service.post("/events?ack=stored", json: plain).status == 200)
        let count = sent + Self.sources.count + 1
        let told = try tail.next(count).map(\.data).joined(separator: "\n")
        try service.wait(until: "the sink has delivered") { receiver.taken.count >= count }
        let list = try service.get("/events?limit=1000").text
        for (name, text) in [("list", list), ("tail", told), ("sink", lines(of: receiver))] {
            try folder.write(name, text)
            let verdict = try ForeignClient.run("cloud_events.py", ["accept", folder.file(name)])
            #expect(verdict["accepted"]?.integer == count, "\(name)")
            let left = Set(verdict["sources"]?.elements.compactMap(\.string) ?? [])
            #expect(left.isSuperset(of: Self.sources.map { $0.1 }), "\(name): \(left)")
        }
        #expect(try service.terminate() == .exited(0))
    }

    @Test func `a list asked for a source knows it as it was sent and as it leaves`() throws {
        let service = try RunningService.start()
        let body = #"{"type":"a","source":"web 1"}"#
        #expect(try service.post("/events?ack=stored", json: body).status == 200)
        for asked in ["web%201", "web%25201"] {
            let page = try service.get("/events?source=\(asked)").json()
            #expect(
                page["events"]?.elements.map { $0["source"]?.string } == ["web%201"], "\(asked)")
        }
        #expect(try service.get("/events?source=web").json()["events"]?.elements.isEmpty == true)
        #expect(try service.terminate() == .exited(0))
    }
}
