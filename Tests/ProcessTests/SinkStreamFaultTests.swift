internal import Glibc
import TestSupport
import Testing

/// Two nodes and a worker that share one sink by way of Redis.
@Suite(.processes) struct SinkStreamFaultTests {
    @Test(arguments: ["entry", "frame"])
    func `all three deliver, and each event goes out once while nothing fails`(
        encoding: String
    ) throws {
        // A receiver that takes its time leaves work for everybody.
        let receiver = try Receiver { _, _ in
            usleep(3000)
            return .status(200)
        }
        let cluster = try SinkCluster(
            receiver, ["--stream-encoding", encoding], timeout: "20s")
        try cluster.waitUntilShared([2, 1, 1])
        var posted = 0
        for _ in 0..<20 { try cluster.post(100, toEach: 0..<2, after: &posted) }
        try cluster.waitUntilDelivered(posted)
        #expect(receiver.taken.count == posted)
        for index in cluster.nodes.indices {
            let count = try cluster.sink(index)["delivered"]?.integer ?? 0
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
        let receiver = try Receiver()
        var cluster = try SinkCluster(receiver)
        var posted = 0
        func postSome(to nodes: [Int] = [0, 1]) throws {
            try cluster.post(100, toEach: nodes, after: &posted)
        }
        try postSome()
        try cluster.waitUntilDone(posted)
        let calm = posted
        receiver.obey { _, _ in .status(503) }
        try postSome()
        receiver.obey { _, _ in .hang }
        try postSome()
        let before = receiver.requestCount
        try cluster.nodes[0].wait(until: "all of them hang") {
            receiver.requestCount >= before + 3
        }
        // The worker dies for good with entries pending, a node comes back.
        cluster.nodes[2].kill()
        try postSome(to: [1])
        cluster.nodes[1].kill()
        receiver.obey { _, _ in .status(200) }
        cluster.nodes[1] = try cluster.nodes[1].startAgain()
        try postSome()
        try cluster.waitUntilDone(posted)
        let troubled = posted
        try postSome()
        try cluster.waitUntilDone(posted)
        let repeated = cluster.repeated
        print("sink: \(posted) events, worker and node killed, \(repeated.count) delivered twice")
        // Before and after the faults each event came once.
        #expect(repeated.allSatisfy { (calm..<troubled).contains($0) }, "\(repeated)")
        for node in cluster.nodes.prefix(2) { #expect(try node.terminate() == .exited(0)) }
    }
}
