import TestSupport
import Testing

/// `GET /events/tail`: what is stored, as it is stored.
@Suite(.processes) struct TailTests {
    private func post(_ service: RunningService, _ ids: Range<Int>, type: String) throws {
        let lines = ids.map { #"{"id":"\#(type)-\#($0)","type":"\#(type)","source":"/t"}"# }
        let reply = try service.post("/events", lines: lines)
        #expect(reply.status == 202)
    }

    @Test func `every event comes once and in order, and a client that returns misses nothing`()
        throws
    {
        let service = try RunningService.start()
        try post(service, 0..<5, type: "early")
        try service.waitUntilAllIsStored()
        let tail = try EventTail(service)
        for start in stride(from: 0, to: 300, by: 30) {
            try post(service, start..<start + 30, type: "a")
        }
        let all = try tail.next(300)
        #expect(all.map { $0.eventID } == (0..<300).map { "a-\($0)" })
        #expect(Set(all.map { $0.id }).count == 300)
        // From the middle, from the end, and from before a restart.
        let again = try EventTail(service, after: all[99].id)
        #expect(try again.next(200).map { $0.id } == all[100...].map { $0.id })
        let last = try EventTail(service, after: all[299].id)
        try post(service, 300..<301, type: "a")
        #expect(try last.next(1)[0].eventID == "a-300")
        #expect(try service.terminate() == .exited(0))
        let successor = try service.startAgain()
        let resumed = try EventTail(successor, after: all[299].id)
        #expect(try resumed.next(1)[0].eventID == "a-300")
        successor.kill()
        print("tail: 300 events in order, resumed three times")
    }

    @Test func `only the types that are asked for come`() throws {
        let service = try RunningService.start()
        let tail = try EventTail(service, "?type=b,c")
        for type in ["a", "b", "d", "c", "a"] { try post(service, 0..<3, type: type) }
        #expect(
            try tail.next(6).compactMap { $0.eventID } == [
                "b-0", "b-1", "b-2", "c-0", "c-1", "c-2",
            ])
    }

    @Test func `a large backlog, a rare type, line breaks and the largest event arrive`() throws {
        let service = try RunningService.start()
        let (tail, rare) = (try EventTail(service), try EventTail(service, "?type=rare"))
        let count = 15_000
        try post(service, 0..<count, type: "a")
        let first = try tail.next(count)
        #expect(first.map { $0.eventID } == (0..<count).map { "a-\($0)" })
        // 256 KiB is the limit of an event, and as much as a client's queue holds.
        let text = String(repeating: "x", count: 261_900)
        let events = [
            #"{"id":"large","source":"/t","type":"rare","data":{"text":"\#(text)"}}"#,
            "{\"id\":\"lines\",\"source\":\"/t\",\"type\":\"rare\",\"data\":{\r\n\n\"a\":\n[1,\n\n2]}}",
        ]
        for event in events { #expect(try service.post("/events", json: event).status == 202) }
        for tail in [tail, rare] {
            let messages = try tail.next(2)
            #expect(messages.map { $0.eventID } == ["large", "lines"])
            #expect(try JSONTree.parse(messages[1].data)["data"]?["a"]?[1]?.integer == 2)
        }
        let resumed = try EventTail(service, after: first[2].id)
        #expect(try resumed.next(count - 3).last?.eventID == "a-\(count - 1)")
        #expect(try service.status("events", "tail_dropped")?.integer == 0)
    }

    @Test func `a client that takes nothing is told what it missed`() throws {
        let service = try RunningService.start()
        let tail = try EventTail(service)
        // More than the sockets' buffers hold.
        let text = String(repeating: "x", count: 2000)
        let lines = (0..<1000).map { _ in #"{"type":"a","source":"/t","data":"\#(text)"}"# }
        for _ in 0..<30 { #expect(try service.post("/events", lines: lines).status == 202) }
        try service.wait(until: "it is brought to the present", within: .seconds(60)) {
            try service.status("events", "tail_dropped")?.integer ?? 0 > 0
        }
        // What is stored after it was brought to the present comes again, until it lags once more.
        var (taken, missed) = (0, 0)
        while taken + missed < 30_000 {
            let message = try tail.next(1)[0]
            guard message.event == "dropped" else {
                taken += 1
                continue
            }
            missed += try JSONTree.parse(message.data)["count"]?.integer ?? 0
        }
        print("tail: \(taken) taken, \(missed) missed")
        #expect(missed > 0)
        #expect(taken + missed == 30_000)
        try post(service, 0..<1, type: "b")
        #expect(try tail.next(1)[0].eventID == "b-0")
    }

    @Test func `a cursor that was never given out is refused`() throws {
        let service = try RunningService.start()
        for id in ["x", "-1", "1.5", "99999999999999999999", "AQ", "caf\u{E9}"] {
            let reply = try service.get("/events/tail", headers: ["Last-Event-ID": id])
            #expect(reply.status == 400, "\(id)")
        }
    }
}
