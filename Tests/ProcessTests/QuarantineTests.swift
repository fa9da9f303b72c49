import Primitives
import TestSupport
import Testing

/// What was refused can be looked at, masked, and tried again.
@Suite(.processes) struct QuarantineTests {
    private func replay(_ service: RunningService) throws -> [Int?] {
        let reply = try service.post("/events/quarantine/replay", json: "")
        #expect(reply.status == 200, "\(reply.text)")
        let answer = try reply.json()
        #expect(answer["complete"] == .bool(true))
        return [answer["replayed"]?.integer, answer["rejected"]?.integer]
    }

    @Test func `a raised limit lets refused events in, each once however often they are tried`()
        throws
    {
        let service = try RunningService.start(["--event-limit", "300"])
        let filler = String(repeating: "x", count: 400)
        let lines = (0..<20).map { #"{"type":"large","n":\#($0),"x":"\#(filler)"}"# } + ["{}"]
        let reply = try service.post("/events", lines: lines)
        #expect(reply.status == 422)
        try service.wait(until: "they are listed") {
            try service.get("/events/quarantine").json().quarantined.count == 21
        }
        let shown = try service.get("/events/quarantine?limit=2")
        #expect(!shown.text.contains(filler))
        #expect(
            try shown.json().quarantined.map { $0["code"]?.string } == [
                "missing_type", "event_too_large",
            ])
        #expect(try replay(service) == [0, 21])
        #expect(try service.terminate() == .exited(0))
        let successor = try service.startAgain([])
        #expect(try replay(successor) == [20, 1])
        // At once, before the store has noted that they were taken.
        _ = try replay(successor)
        _ = try replay(successor)
        try successor.waitUntilAllIsStored()
        let row = try successor.row("count,uniq:n", "&event=large")
        #expect(row == [.integer(20), .integer(20)])
        print("quarantine: 20 of 21 refused events taken later, once each")
    }

    @Test func `what an answer says is quarantined outlives kill -9`() throws {
        var fullRounds = 0
        for _ in 0..<3 {
            let service = try RunningService.start()
            let lines = (0..<500).flatMap { [#"{"type":"good","n":\#($0)}"#, #"{"n":\#($0)}"#] }
            let reply = try service.post("/events", lines: lines)
            service.kill()
            #expect(reply.status == 202, "\(reply.text)")
            let receipt = try reply.json()
            #expect(receipt["rejected"]?.integer == 500 && receipt["accepted"]?.integer == 500)
            let said = try #require(receipt["quarantined"]?.integer)
            if said == 500 { fullRounds += 1 }
            let successor = try service.startAgain()
            let status = try successor.get("/status").json()
            let kept = try #require(status["store"]?["quarantine"]?["rows"]?.integer)
            #expect(kept >= said && kept <= 500)
        }
        // A sanitized store may not get its turn within the second that the answer waits.
        #expect(fullRounds > 0 || slowness > 1)
    }

    @Test func `an answer does not wait long for a store that is away, and says how it stands`()
        throws
    {
        let service = try RunningService.start()
        let blocker = try StoreBlocker(service)
        let start = MonotonicTime.now()
        let reply = try service.post("/events", lines: [#"{"type":"good"}"#, "{}"])
        #expect(MonotonicTime.now().since(start) < .seconds(5) * slowness)
        #expect(reply.status == 202, "\(reply.text)")
        #expect(try reply.json()["quarantined"]?.integer == 0)
        let good = try service.post("/events", lines: [#"{"type":"good"}"#])
        #expect(try good.json()["quarantined"] == nil)
        blocker.release()
        try service.wait(until: "it is listed") {
            try service.get("/events/quarantine").json().quarantined.count == 1
        }
    }

    @Test func `a refused event in binary mode is tried again as what it was`() throws {
        let service = try RunningService.start()
        var headers = [
            "Content-Type": "application/json", "ce-specversion": "1.0", "ce-type": "paid",
            "ce-source": "/shop", "ce-id": "1",
        ]
        let body = Array(#"{"type":"inner","amount":5}"#.utf8)
        for (name, value) in [("ce-bad_name", "x"), ("ce-specversion", "0.3"), ("ce-id", "")] {
            let good = headers[name]
            headers[name] = value.isEmpty ? nil : value
            let reply = try service.request("POST", "/events", headers: headers, body: body)
            #expect(reply.status == 422)
            headers[name] = good
        }
        try service.wait(until: "they are listed") {
            try service.get("/events/quarantine").json().quarantined.count == 3
        }
        #expect(try replay(service) == [0, 3])
        try service.waitUntilAllIsStored()
        #expect(try service.storedCount() == 0)
    }

    @Test func `pages of what was refused cover it once`() throws {
        let service = try RunningService.start()
        _ = try service.post("/events", lines: Array(repeating: "{}", count: 250))
        try service.wait(until: "they are listed") {
            try service.get("/status").json()["store"]?["quarantine"]?["rows"]?.integer == 250
        }
        var seen: [Int] = []
        var target = "/events/quarantine?limit=100"
        while true {
            let page = try service.get(target).json()
            seen += page.quarantined.compactMap { $0["seq"]?.integer }
            guard let next = page["next"]?.string else { break }
            target = "/events/quarantine?limit=100&cursor=\(next)"
        }
        #expect(seen.count == 250 && Set(seen).count == 250)
        #expect(seen == seen.sorted(by: >))
    }
}
