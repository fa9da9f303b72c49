internal import Glibc
import Primitives
import TestSupport
import Testing

/// Two nodes and a worker that share one sink by way of Redis.
@Suite struct SinkStreamFaultTests {
    /// What a test of these starts.
    private struct Cluster {
        let redis: RedisProcess
        let receiver: Receiver
        let folder: TemporaryDirectory
        var nodes: [RunningService] = []

        init(_ arguments: [String] = [], _ rule: @escaping Receiver.Rule) throws {
            redis = try RedisProcess()
            receiver = try Receiver(rule)
            folder = try TemporaryDirectory()
            let path = folder.file("millrace.yaml")
            guard let file = fopen(path, "we") else { throw TestError("fopen: errno \(errno)") }
            fputs(
                """
                redis-url: \(redis.url)
                stream-claim-after: 1s
                sinks:
                  audit: { url: "\(receiver.url)", batch-size: 20, timeout: 500ms }

                """, file)
            fclose(file)
            for (name, command) in [("a", "serve"), ("b", "serve"), ("w", "worker")] {
                nodes.append(
                    try RunningService.start(
                        ["--config", path, "--node", name] + arguments, command: command))
            }
        }

        func delivered(_ index: Int) throws -> Int {
            try nodes[index].get("/status").json()["sinks"]?["audit"]?["delivered"]?.integer ?? 0
        }
    }

    /// Posts events `e<number>`, one request, spread over partitions.
    private func post(_ numbers: Range<Int>, to service: RunningService) throws {
        let lines = numbers.map {
            #"{"id":"e\#($0)","source":"/t","type":"paid","subject":"s\#($0 % 40)","n":\#($0)}"#
        }
        let reply = try service.post(
            "/events", Array(lines.joined(separator: "\n").utf8), type: "application/x-ndjson")
        #expect(reply.status == 202)
    }

    private func all(_ count: Int) -> Set<String> { Set((0..<count).map { "e\($0)" }) }

    @Test(arguments: ["entry", "frame"])
    func `all three deliver, and each event goes out once while nothing fails`(
        encoding: String
    ) throws {
        // A receiver that takes its time leaves work for everybody.
        let cluster = try Cluster(["--stream-encoding", encoding]) { _, _ in
            usleep(3000)
            return .status(200)
        }
        var posted = 0
        for _ in 0..<20 {
            for node in 0..<2 {
                try post(posted..<posted + 100, to: cluster.nodes[node])
                posted += 100
            }
        }
        try cluster.nodes[0].wait(until: "all are delivered") {
            Set(cluster.receiver.taken) == all(posted)
        }
        #expect(cluster.receiver.taken.count == posted)
        for index in cluster.nodes.indices {
            let count = try cluster.delivered(index)
            print("sink, \(encoding): node \(index) delivered \(count) of \(posted)")
            #expect(count > 0)
        }
        // The worker's store has everything and takes nothing over HTTP.
        try cluster.nodes[2].wait(until: "the worker's store has all") {
            try cluster.nodes[2].get("/status").json()["store"]?["rows"]?.integer == posted
        }
        #expect(try cluster.nodes[2].post("/events", json: #"{"type":"x"}"#).status == 404)
        #expect(try cluster.nodes[2].get("/readyz").status == 200)
        #expect(try cluster.nodes[2].get("/openapi.yaml").status == 200)
        for node in cluster.nodes { #expect(try node.terminate() == .exited(0)) }
    }

    @Test func `killing a node and a receiver that fails and hangs lose nothing`() throws {
        var cluster = try Cluster { _, _ in .status(200) }
        var posted = 0
        func postSome() throws {
            for node in 0..<2 {
                try post(posted..<posted + 100, to: cluster.nodes[node])
                posted += 100
            }
        }
        try postSome()
        try cluster.nodes[0].wait(until: "some are delivered") { !cluster.receiver.taken.isEmpty }
        cluster.receiver.obey { _, _ in .status(503) }
        try postSome()
        cluster.receiver.obey { _, _ in .hang }
        try postSome()
        let before = cluster.receiver.requestCount
        try cluster.nodes[0].wait(until: "all of them hang") {
            cluster.receiver.requestCount >= before + 3
        }
        // The worker dies for good with entries pending, a node comes back.
        cluster.nodes[2].kill()
        try post(posted..<posted + 100, to: cluster.nodes[1])
        posted += 100
        cluster.nodes[1].kill()
        cluster.receiver.obey { _, _ in .status(200) }
        cluster.nodes[1] = try cluster.nodes[1].startAgain()
        try postSome()
        try cluster.nodes[0].wait(until: "all are delivered", within: .seconds(60)) {
            Set(cluster.receiver.taken) == all(posted)
        }
        let twice = cluster.receiver.taken.count - posted
        print("sink: \(posted) events, worker and node killed, \(twice) delivered twice")
        for node in cluster.nodes.prefix(2) { #expect(try node.terminate() == .exited(0)) }
    }
}
