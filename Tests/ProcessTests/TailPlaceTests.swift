import TestSupport
import Testing

/// Places of one node's tail, given to another.
@Suite(.processes) struct TailPlaceTests {
    private func lines(_ numbers: some Sequence<Int>) -> [String] {
        numbers.map { number in
            let digits = String("00\(number)".suffix(3))
            return
                #"{"id":"e\#(number)","source":"/t","type":"a","time":"2026-01-02T03:00:00.\#(digits)Z"}"#
        }
    }

    @Test func `a client that changes nodes misses nothing and is told`() throws {
        let (first, second) = (try RunningService.start(), try RunningService.start())
        let tail = try EventTail(first)
        #expect(try first.post("/events?ack=stored", lines: lines(0..<400)).status == 200)
        // The other node stores the same in another order, and something of its own before it.
        #expect(
            try second.post("/events?ack=stored", lines: [#"{"type":"own","source":"/t"}"#]).status
                == 200)
        let order = stride(from: 0, to: 400, by: 4).flatMap { [$0 + 2, $0, $0 + 3, $0 + 1] }
        #expect(try second.post("/events?ack=stored", lines: lines(order)).status == 200)
        let all = try tail.next(400)
        let other = try EventTail(second, after: all[199].id)
        let told = try other.next(1)[0]
        #expect(told.event == "resumed")
        let overlap = try #require(try JSONTree.parse(told.data)["overlap"]?.integer)
        var got: Set<String> = []
        let missing = Set((200..<400).map { "e\($0)" })
        while !missing.isSubset(of: got), let id = try other.next(1)[0].eventID { got.insert(id) }
        print("tail: another node, \(overlap) rows again")
        // From there on it is a client of the other node, and nothing is said any more.
        let again = try EventTail(second, after: told.id)
        #expect(try again.next(1)[0].event.isEmpty)
    }

    @Test func `a place that this node does not know is a reset`() throws {
        let (first, second) = (try RunningService.start(), try RunningService.start())
        let tail = try EventTail(first)
        #expect(try first.post("/events?ack=stored", lines: lines(0..<3)).status == 200)
        let place = try tail.next(3)[2].id
        for id in [place, "2"] {
            let lost = try EventTail(second, after: id)
            let told = try lost.next(1)[0]
            #expect(told.event == "reset")
            let time = try JSONTree.parse(told.data)["lost_at"]
            #expect(time == (id == place ? .string("2026-01-02T03:00:00.002Z") : .null))
            #expect(
                try second.post("/events", lines: [#"{"type":"b","id":"new-\#(id)"}"#]).status
                    == 202)
            #expect(try lost.next(1)[0].eventID == "new-\(id)")
        }
    }

    @Test func `no place ends the service`() throws {
        let service = try RunningService.start()
        #expect(try service.post("/events?ack=stored", lines: lines(0..<3)).status == 200)
        #expect(try service.post("/logs", json: #"{"message":"one"}"#).status == 202)
        try service.waitUntilLogsAreStored()
        for path in ["/events/tail", "/logs/tail"] {
            for number in [Int64.max, .max - 1, 0, 1] {
                for id in ["\(number)-0", "\(number)-\(Int64.max)", "\(number)", "-\(number)-0"] {
                    let reply = try service.connect()
                    try reply.send("GET", path, headers: ["Last-Event-ID": id])
                    #expect([200, 400].contains(try reply.receiveHead().status), "\(path) \(id)")
                }
            }
        }
        #expect(try service.get("/healthz").status == 200)
        #expect(try service.terminate() == .exited(0))
    }

    @Test func `clients that come back and do not read cost little memory`() throws {
        let service = try RunningService.start()
        let text = String(repeating: "z ", count: 50_000)
        for round in 0..<20 {
            let records = (0..<20).map { #"{"message":"\#(round) \#($0) \#(text)"}"# }
            #expect(try service.post("/logs", lines: records).status == 202)
        }
        try service.waitUntilLogsAreStored()
        let before = service.residentBytes
        let clients = try (0..<4).map { _ in
            let client = try ClientConnection(port: service.port, receiveBytes: 4096)
            try client.send("GET", "/logs/tail", headers: ["Last-Event-ID": "0-0"])
            #expect(try client.receiveHead().status == 200)
            return client
        }
        // One that reads has them all when the others have been looked at.
        let reader = try LogTail(service, after: "0-0")
        var count = 1
        while LogTail.text(try reader.nextMessage())?.hasPrefix("19 19 ") == false { count += 1 }
        #expect(count >= 399)
        // 40 MB each would be 160.
        #expect(service.residentBytes - before < 80 << 20)
        withExtendedLifetime(clients) {}
        service.kill()
    }

    @Test func `a page goes on at another node, or is refused`() throws {
        let (first, second) = (try RunningService.start(), try RunningService.start())
        for (node, order) in [(first, Array(0..<30)), (second, (0..<30).reversed())] {
            let lines = order.map {
                #"{"id":"e\#($0)","source":"/t","type":"a","time":"2026-01-02T03:04:0\#($0 / 10)Z"}"#
            }
            #expect(try node.post("/events?ack=stored", lines: lines).status == 200)
        }
        let page = try first.get("/events?limit=15").json()
        let cursor = try #require(page["next"]?.string)
        let rest = try second.get("/events?limit=25&cursor=\(cursor)").json()
        let ids = [page, rest].flatMap { $0["events"]?.array ?? [] }.compactMap { $0["id"]?.string }
        #expect(Set(ids).count == 30)
        let refused = try second.get("/events?limit=5&cursor=\(cursor)")
        #expect(refused.status == 400)
        #expect(try refused.json()["code"] == .string("foreign_cursor"))
        #expect(try first.get("/events?limit=5&cursor=\(cursor)").status == 200)
    }
}
