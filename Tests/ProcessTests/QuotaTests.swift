import Primitives
import TestSupport
import Testing

/// What a key may use a second, through the front door.
@Suite(.processes) struct QuotaTests {
    private static let question = "/query?metric=count&from=1971-01-01&to=2100-01-01"

    /// A key with another's text.
    private func limited(_ key: PlantedKey, _ quotas: String...) -> PlantedKey {
        PlantedKey(key.name, key.hash, fields: key.fields + quotas)
    }

    private func fields(_ key: PlantedKey) -> [String] { key.header.map { "\($0): \($1)" } }

    /// The numbers of `RateLimit`, by its names and parameters.
    private func standing(_ reply: ClientReply) throws -> [String: Int] {
        var numbers: [String: Int] = [:]
        for member in try #require(reply.header("RateLimit")).split(separator: ", ") {
            let parts = member.split(separator: ";")
            let name = parts[0].filter { $0 != "\"" }
            for part in parts.dropFirst() {
                let pair = part.split(separator: "=")
                numbers["\(name) \(pair[0])"] = Int(pair[1])
            }
        }
        return numbers
    }

    @Test(arguments: [question, "/query/named"])
    func `a key has its requests a second, whoever answers them, and no more`(
        target: String
    ) throws {
        let rate = 40
        let keyed = try KeyedService([limited(.query, "requests-per-second: \(rate)"), .admin])
        let start = MonotonicTime.now()
        let counts = Locked((taken: 0, refused: 0))
        let threads = try (0..<3).map { _ in
            let wire = try keyed.service.connect()
            // One thread has each.
            nonisolated(unsafe) let own = wire
            let fields = fields(.query)
            return Thread(name: "ask") {
                while counts.withLock({ $0.refused < 20 }) {
                    guard let reply = try? own.ask("GET", target, fields),
                        MonotonicTime.now().since(start) < .seconds(60)
                    else { return }
                    counts.withLock {
                        if reply.status == 429 { $0.refused += 1 } else { $0.taken += 1 }
                    }
                }
            }
        }
        for thread in threads { thread.join() }
        let (taken, refused) = counts.withLock { $0 }
        #expect(refused >= 20)
        let seconds = MonotonicTime.now().since(start).inSeconds
        #expect(Double(taken) <= Double(rate) * (1 + seconds), "\(taken) in \(seconds) s")
        #expect(taken >= rate)
        let status = try keyed.status()["keys"]
        #expect(status?["over_quota"]?["requests"]?.integer == refused)
        #expect(status?["over_quota"]?["events"]?.integer == 0)
        let metrics = try keyed.get("/metrics", .admin).text
        let sample = #"millrace_requests_over_quota_total{quota="requests"} "#
        #expect(metrics.contains("\(sample)\(refused)\n"))
        #expect(try keyed.service.terminate() == .exited(0))
    }

    @Test func `each reply says what is left, and a refusal when there is more`() throws {
        let keyed = try KeyedService([limited(.query, "requests-per-second: 10"), .admin])
        let wire = try keyed.service.connect()
        let fields = fields(.query)
        var (refusal, taken): (ClientReply?, Int) = (nil, 0)
        let deadline = Deadline.after(.seconds(60))
        while refusal == nil, !deadline.hasPassed {
            let before = MonotonicTime.now()
            let reply = try wire.ask("GET", QuotaTests.question, fields)
            #expect(reply.header("RateLimit-Policy") == #""requests";q=10;w=1"#)
            let left = try #require(try standing(reply)["requests r"])
            if reply.status == 429 {
                // It came a moment after it was written.
                #expect(left == 0)
                refusal = reply
                continue
            }
            #expect(reply.status == 200)
            taken += 1
            #expect((0...9).contains(left) && reply.all("RateLimit").count == 1)
            if MonotonicTime.now().since(before) < .milliseconds(2), taken < 10 {
                #expect(left >= 9 - taken, "\(left) after \(taken)")
            }
        }
        let reply = try #require(refusal)
        let problem = try reply.json()
        #expect(problem["code"]?.string == "request_quota_exceeded")
        #expect(problem["limit"]?.integer == 10 && problem["status"]?.integer == 429)
        #expect(reply.header("Retry-After") == "1")
        #expect(!reply.closesConnection)
        try keyed.service.wait(until: "there is some again") {
            try wire.ask("GET", QuotaTests.question, fields).status == 200
        }
        // A key without a quota on the same connection hears of none.
        let free = try wire.ask("GET", "/status", self.fields(.admin))
        #expect(free.status == 200)
        #expect(free.header("RateLimit") == nil && free.header("RateLimit-Policy") == nil)
        // Neither do those who ask for what needs no key or is not there.
        for path in ["/healthz", "/nothing"] {
            #expect(try wire.ask("GET", path, fields).header("RateLimit") == nil)
        }
        try keyed.service.wait(until: "the refusal is in the log") {
            keyed.service.records.contains {
                $0["message"]?.string == "audit: request refused"
                    && $0["reason"]?.string == "request_quota_exceeded"
                    && $0["key"]?.string == "query"
            }
        }
        #expect(try keyed.service.terminate() == .exited(0))
    }

    private let batch =
        "[" + (0..<1000).map { #"{"type":"\#($0 == 0 ? "" : "a")"}"# }.joined(separator: ",") + "]"

    @Test func `a batch over the quota is taken, and the next is refused unread`() throws {
        let keyed = try KeyedService([
            limited(.everything, "events-per-second: 10"), .eventsWrite, .admin,
        ])
        let service = keyed.service
        let sent = try keyed.post("/events?ack=stored", json: batch, .everything)
        #expect(sent.status == 200)
        #expect(try sent.json()["accepted"]?.integer == 999)
        #expect(sent.header("RateLimit-Policy") == #""events";q=10;w=1;qu="events""#)
        let left = try standing(sent)
        #expect(left["events r"] == 0)
        #expect(try (1...100).contains(#require(left["events t"])), "\(left)")

        let wire = try service.connect()
        try wire.send(
            "POST /events HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                + fields(.everything).joined() + "\r\nExpect: 100-continue\r\n"
                + "Content-Length: 10485760\r\n\r\n")
        let reply = try wire.receive()
        #expect(reply.status == 429 && reply.closesConnection)
        #expect(try reply.json()["code"]?.string == "event_quota_exceeded")
        #expect(try reply.json()["limit"]?.integer == 10)
        let wait = try #require(reply.header("Retry-After").flatMap { Int($0) })
        #expect((1...100).contains(wait), "\(wait)")
        try service.wait(until: "the request is in the log") {
            service.records.contains {
                $0["route"]?.string == "/events" && $0["status"]?.integer == 429
                    && $0["request_bytes"]?.integer == 0
            }
        }
        // It is the quota of one key, and of events.
        #expect(try keyed.post("/events", json: batch, .eventsWrite).status == 202)
        #expect(try keyed.get(QuotaTests.question, .everything).status == 200)
        #expect(try keyed.post("/logs", json: #"{"message":"a"}"#, .everything).status == 202)
        let status = try keyed.status()
        #expect(status["keys"]?["over_quota"]?["events"]?.integer == 1)
        #expect(status["events"]?["accepted"]?.integer == 2 * 999)
        #expect(try service.terminate() == .exited(0))
    }

    @Test func `a change of the key keeps its bucket, and a change of its quota fills it`() throws {
        let key = limited(.everything, "events-per-second: 1")
        let keyed = try KeyedService([key, .admin])
        #expect(try keyed.post("/events", json: batch, .everything).status == 202)
        let expiring = limited(.everything, "events-per-second: 1", "expires: 2100-01-01T00:00:00Z")
        for (changed, status) in [
            (expiring, 429), (limited(.everything, "events-per-second: 2000"), 202),
        ] {
            let reloads = try keyed.status()["keys"]?["reloads"]?.integer ?? 0
            try keyed.write(changed.yaml + PlantedKey.admin.yaml)
            try keyed.service.wait(until: "it was read") {
                try keyed.status()["keys"]?["reloads"]?.integer ?? 0 > reloads
            }
            #expect(try keyed.post("/events", json: batch, .everything).status == status)
        }
        #expect(try keyed.service.terminate() == .exited(0))
    }

    @Test func `an SDK is told in the form of its protocol`() throws {
        let keyed = try KeyedService([limited(.logsWrite, "requests-per-second: 1"), .admin])
        var reply = try keyed.post("/v1/logs", json: "{}", .logsWrite)
        let deadline = Deadline.after(.seconds(60))
        while reply.status == 200, !deadline.hasPassed {
            reply = try keyed.post("/v1/logs", json: "{}", .logsWrite)
        }
        #expect(reply.status == 429 && reply.header("Retry-After") == "1")
        #expect(reply.header("Content-Type") == "application/json")
        // RESOURCE_EXHAUSTED.
        #expect(try reply.json()["code"]?.integer == 8)
        #expect(try keyed.service.terminate() == .exited(0))
    }

    @Test func `what a full journal refuses is not counted`() throws {
        let keyed = try KeyedService(
            [limited(.everything, "events-per-second: 1000"), .admin],
            ["--journal-max-bytes", "32MiB"])
        let service = keyed.service
        service.headers.withLock { $0 = PlantedKey.admin.header }
        let blocker = try StoreBlocker(service)
        defer { blocker.release() }
        let big =
            "["
            + (0..<90).map { _ in
                #"{"type":"a","text":"\#(String(repeating: "x", count: 100_000))"}"#
            }.joined(separator: ",") + "]"
        var reply: ClientReply?
        try service.wait(until: "the journal is full") {
            reply = try keyed.post("/events", json: big, .everything)
            return reply?.status == 503
        }
        let full = try #require(reply)
        #expect(try full.json()["code"]?.string == "journal_full")
        try service.wait(until: "all of the quota is there") {
            let reply = try keyed.post("/events", json: big, .everything)
            return try reply.status == 503 && standing(reply)["events r"] == 1000
        }
    }
}
