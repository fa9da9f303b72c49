import Primitives
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
        // Two more may wait; to a third it is said that there is no room. Which of them comes last is
        // the loops' choice.
        let port = service.port
        let replies = Locked<[ClientReply]>([])
        let callers = (0..<3).map { _ in
            Thread(name: "caller") {
                let reply = try? ClientConnection(port: port).ask(
                    "POST", "/events/quarantine/replay", ["Content-Length: 0"])
                if let reply { replies.withLock { $0.append(reply) } }
            }
        }
        try service.wait(until: "there is no room for more") {
            replies.withLock { $0.first }?.status == 503
        }
        #expect(replies.withLock { $0.first }?.header("Retry-After") != nil)
        service.kill()
        for caller in callers { caller.join() }
        withExtendedLifetime((clients, folder)) {}
    }
}
