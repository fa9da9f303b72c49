import TestSupport
import Testing

@Suite(.processes) struct ReplayWorkerTests {
    @Test func `replays that take long leave the queries alone`() throws {
        let receiver = try Receiver { _, _ in .status(422) }
        let folder = try TemporaryDirectory()
        let sinks = ["a", "b"].map { "  \($0):\n    url: \(receiver.url)\n    timeout: 30s\n" }
        try folder.write("millrace.yaml", "sinks:\n" + sinks.joined())
        let service = try RunningService.start([
            "--config", folder.file("millrace.yaml"), "--readers", "2",
        ])
        #expect(
            try service.post("/events", json: #"{"type":"a","source":"/t","id":"1"}"#).status == 202
        )
        try service.wait(until: "both sinks have a dead letter") {
            try service.get("/events/dead-letters").json()["dead_letters"]?.array?.count == 2
        }
        let before = receiver.requestCount
        receiver.obey { _, _ in .hang }
        let clients = try ["a", "b"].map { sink in
            let client = try service.connect()
            try client.send(
                "POST", "/events/dead-letters/replay?sink=\(sink)",
                headers: ["Content-Length": "0"])
            return client
        }
        try service.wait(until: "both replays wait for the receiver") {
            receiver.requestCount >= before + 2
        }
        #expect(try service.row("count") == [.integer(1)])
        #expect(try service.get("/events").status == 200)
        // Two more may wait; then it is said that there is no room.
        var answers: [ClientConnection] = []
        for _ in 0..<2 {
            let client = try service.connect()
            try client.send("POST", "/events/quarantine/replay", headers: ["Content-Length": "0"])
            answers.append(client)
        }
        try service.wait(until: "there is no room for more") {
            let reply = try service.request("POST", "/events/quarantine/replay")
            return reply.status == 503 && reply.header("Retry-After") != nil
        }
        withExtendedLifetime((clients, answers)) {}
        service.kill()
        withExtendedLifetime(folder) {}
    }
}
