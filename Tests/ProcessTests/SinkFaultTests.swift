import Primitives
import TestSupport
import Testing

/// Sinks of the real program, without Redis, and a receiver of the tests' own.
@Suite(.processes) struct SinkFaultTests {
    private func start(
        _ receiver: Receiver, _ more: String = "", _ arguments: [String] = []
    ) throws -> RunningService {
        let folder = try TemporaryDirectory()
        let text = "sinks:\n  audit:\n    url: \(receiver.url)\n    timeout: 1s\n\(more)"
        try folder.write("millrace.yaml", text)
        let service = try RunningService.start(
            ["--config", folder.file("millrace.yaml")] + arguments)
        // The file is read again at each start.
        configurations.withLock { $0.append(folder) }
        return service
    }

    /// Folders that live as long as the suite's test.
    private let configurations = Locked<[TemporaryDirectory]>([])

    /// Posts events `e<number>` of one type, one request.
    private func post(_ numbers: Range<Int>, to service: RunningService) throws {
        let lines = numbers.map {
            #"{"id":"e\#($0)","source":"/t","type":"order.paid","n":\#($0)}"#
        }
        let reply = try service.post("/events", lines: lines)
        #expect(reply.status == 202)
    }

    private func sink(_ service: RunningService) throws -> JSONTree {
        try service.get("/status").json()["sinks"]?["audit"] ?? .null
    }

    @Test func `each event arrives, across kill -9 and restarts`() throws {
        let receiver = try Receiver()
        var service = try start(receiver, "    batch-size: 20\n")
        var posted = 0
        for round in 0..<4 {
            for _ in 0..<10 {
                try post(posted..<posted + 50, to: service)
                posted += 50
            }
            if round < 3 {
                // In the middle of things: some are delivered, some not.
                let target = posted - 400
                try service.wait(until: "some are delivered") { receiver.taken.count > target }
                service.kill()
                service = try service.startAgain()
            }
        }
        let all = Set((0..<posted).map { "e\($0)" })
        try service.wait(until: "all are delivered") { Set(receiver.taken) == all }
        let taken = receiver.taken
        print("sink: \(posted) events, 3 kills, \(taken.count - posted) delivered twice")
        // Without the repetitions the order is that of storing, which is that of posting.
        var seen: Set<String> = []
        #expect(taken.filter { seen.insert($0).inserted } == (0..<posted).map { "e\($0)" })
        #expect(try service.terminate() == .exited(0))
    }

    @Test func `a receiver that fails, hangs and goes away loses nothing`() throws {
        let receiver = try Receiver { _, _ in .status(500) }
        let service = try start(receiver)
        try post(0..<100, to: service)
        try service.wait(until: "attempts fail") {
            try sink(service)["failed_attempts"]?.integer ?? 0 >= 2
        }
        receiver.obey { _, _ in .hang }
        try post(100..<200, to: service)
        let before = receiver.requestCount
        try service.wait(until: "an attempt hangs") { receiver.requestCount > before }
        receiver.obey { _, _ in .reset }
        try service.wait(until: "the breaker opens") {
            try sink(service)["breaker"]?["opened"]?.integer ?? 0 > 0
        }
        try post(200..<300, to: service)
        receiver.obey { _, _ in .status(200) }
        try service.wait(until: "all are delivered") { receiver.taken.count >= 300 }
        #expect(receiver.taken == (0..<300).map { "e\($0)" })
        try service.wait(until: "the breaker closes") {
            try post(300..<301, to: service)
            return try sink(service)["breaker"]?["state"]?.string == "closed"
        }
        let metrics = try service.get("/metrics").text
        #expect(metrics.contains(#"millrace_sink_breaker_state{sink="audit",state="closed"} 1"#))
        #expect(metrics.contains(#"millrace_sink_events_delivered_total{sink="audit"} 30"#))
        #expect(try service.terminate() == .exited(0))
    }

    @Test func `a refused event is a dead letter, listed and delivered again`() throws {
        let receiver = try Receiver { ids, _ in
            ids.contains("e5") ? .status(422) : .status(200)
        }
        let service = try start(receiver)
        try post(0..<10, to: service)
        try service.wait(until: "the others are delivered") { receiver.taken.count >= 9 }
        try service.wait(until: "it is listed") {
            try service.get("/events/dead-letters?sink=audit").json()["dead_letters"]?.array?.count
                == 1
        }
        let list = try service.get("/events/dead-letters").json()
        let letter = list["dead_letters"]?.array?.first
        #expect(letter?["sink"]?.string == "audit")
        #expect(letter?["status"]?.integer == 422)
        #expect(letter?["reason"]?.string == "refused")
        #expect(letter?["replayed"] == .null)
        #expect(letter?["event"]?["id"]?.string == "e5")
        #expect(letter?["event"]?["data"]?["n"]?.integer == 5)
        #expect(
            try service.get("/events/dead-letters?sink=other").json()["dead_letters"]?.array == [])

        receiver.obey { _, _ in .status(200) }
        let reply = try service.request("POST", "/events/dead-letters/replay?sink=audit")
        #expect(reply.status == 200)
        #expect(try reply.json()["delivered"]?.integer == 1)
        #expect(receiver.taken.last == "e5")
        let after = try service.get("/events/dead-letters").json()
        #expect(after["dead_letters"]?.array?.first?["replayed"]?.string?.hasSuffix("Z") == true)
        #expect(try service.request("POST", "/events/dead-letters/replay").status == 400)
        let unknown = try service.request("POST", "/events/dead-letters/replay?sink=nobody")
        #expect(unknown.status == 404)
        #expect(try unknown.json()["code"]?.string == "unknown_sink")
        #expect(try service.terminate() == .exited(0))
    }

    @Test func `pages of large dead letters end at 8 MiB and cover them once`() throws {
        let service = try RunningService.start()
        let output = service.directory.file("letters")
        let script = """
            import json, sqlite3, sys
            store = sqlite3.connect(sys.argv[1], timeout=30)
            store.executemany(
                "INSERT INTO dead_letters(sink, time, status, refusals, event) VALUES('a',0,?,?,?)",
                [(422 * (n < 40), 5 * (n < 40), json.dumps({"id": str(n), "data": "x" * size}).encode())
                 for n, size in enumerate([250000] * 40 + [9000000])])
            store.commit()
            """
        let child = try ChildProcess(
            ["python3", "-c", script, service.dataDirectory + "/store.db"], output: output,
            errors: output)
        #expect(child.exit(within: .seconds(30)) == .exited(0), "\(FileSystem.text(output))")
        var reasons: [String] = []
        var (ids, sizes, target) = ([String](), [Int](), "/events/dead-letters?limit=1000")
        while sizes.count < 40 {
            let reply = try service.get(target)
            let page = try reply.json()
            reasons += page["dead_letters"]?.array?.compactMap { $0["reason"]?.string } ?? []
            if sizes.isEmpty { #expect(page["dead_letters"]?[0]?["status"] == .null) }
            ids += page["dead_letters"]?.array?.compactMap { $0["event"]?["id"]?.string } ?? []
            sizes.append(reply.body.count)
            guard let next = page["next"]?.string else { break }
            target = "/events/dead-letters?limit=1000&cursor=\(next)"
        }
        #expect(ids == (0...40).reversed().map { "\($0)" })
        // The newest was never refused.
        #expect(reasons == ["given_up"] + Array(repeating: "refused", count: 40))
        // The newest alone is larger than a page may be, and still has one.
        #expect(sizes.count == 3 && sizes[0] > 9_000_000, "\(sizes)")
        #expect(sizes.dropFirst().allSatisfy { $0 <= (8 << 20) + 10_000 }, "\(sizes)")
    }

    @Test func `a stop with a hanging receiver is in time, and what hung arrives afterwards`()
        throws
    {
        let receiver = try Receiver { _, _ in .hang }
        let service = try start(receiver)
        try post(0..<10, to: service)
        try service.wait(until: "an attempt hangs") { receiver.requestCount > 0 }
        #expect(try service.terminate(within: .seconds(15)) == .exited(0))
        receiver.obey { _, _ in .status(200) }
        let again = try service.startAgain()
        try again.wait(until: "all are delivered") { receiver.taken.count >= 10 }
        #expect(receiver.taken == (0..<10).map { "e\($0)" })
        #expect(try again.terminate() == .exited(0))
    }
}
