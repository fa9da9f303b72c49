import Testing

/// `GET /events/tail`: what is stored, as it is stored.
@Suite struct TailTests {
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

    @Test func `a cursor that was never given out is refused`() throws {
        let service = try RunningService.start()
        for id in ["x", "-1", "1.5", "99999999999999999999"] {
            let reply = try service.get("/events/tail", headers: ["Last-Event-ID": id])
            #expect(reply.status == 400, "\(id)")
        }
    }
}
