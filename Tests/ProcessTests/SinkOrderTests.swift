internal import Glibc
import TestSupport
import Testing

/// Nodes that share a sink: who reads which partition, and the order that comes of it.
@Suite(.processes) struct SinkOrderTests {
    private let both = [(name: "a", command: "serve"), (name: "b", command: "serve")]

    @Test func `a partition's events go out in their order while two nodes share the sink`() throws
    {
        // Requests of different length overtake each other wherever they can.
        let receiver = try Receiver { _, number in
            usleep(UInt32(number * 7919 % 23) * 1000)
            return .status(200)
        }
        let cluster = try SinkCluster(receiver, timeout: "20s", nodes: both)
        try cluster.waitUntilShared([2, 2])
        var posted = 0
        for _ in 0..<30 { try cluster.post(100, toEach: [0], after: &posted) }
        try cluster.waitUntilDelivered(posted)
        let taken = receiver.taken
        #expect(taken.count == posted)
        var last: [Int: Int] = [:]
        var disordered = 0
        for number in taken.compactMap({ Int($0.dropFirst()) }) {
            let subject = number % 40
            if number < last[subject] ?? -1 { disordered += 1 }
            last[subject] = number
        }
        print("sink order: \(taken.count) events of 40 subjects, \(disordered) out of order")
        #expect(disordered == 0)
        for index in cluster.nodes.indices {
            #expect(try cluster.sink(index)["delivered"]?.integer ?? 0 > 0)
        }
        for node in cluster.nodes { #expect(try node.terminate() == .exited(0)) }
    }

    @Test func `partitions go to who is left when a node stops or dies, and back`() throws {
        let receiver = try Receiver()
        var cluster = try SinkCluster(receiver, timeout: "20s", nodes: both)
        try cluster.waitUntilShared([2, 2])
        #expect(try cluster.nodes[1].terminate() == .exited(0))
        try cluster.waitUntilShared([4])
        cluster.nodes[1] = try cluster.nodes[1].startAgain()
        try cluster.waitUntilShared([2, 2])
        cluster.nodes[1].kill()
        try cluster.waitUntilShared([4])
        var posted = 0
        try cluster.post(200, toEach: [0], after: &posted)
        try cluster.waitUntilDone(posted)
        #expect(receiver.taken.count == posted)
        #expect(try cluster.nodes[0].terminate() == .exited(0))
    }

    @Test func `a node that stood still for a while gets its partitions back`() throws {
        let receiver = try Receiver()
        let cluster = try SinkCluster(receiver, timeout: "20s", nodes: both)
        try cluster.waitUntilShared([2, 2])
        cluster.nodes[1].send(SIGSTOP)
        try cluster.waitUntilShared([4])
        cluster.nodes[1].send(SIGCONT)
        try cluster.waitUntilShared([2, 2])
        var posted = 0
        try cluster.post(200, toEach: cluster.nodes.indices, after: &posted)
        try cluster.waitUntilDone(posted)
        #expect(receiver.taken.count == posted)
        for node in cluster.nodes { #expect(try node.terminate() == .exited(0)) }
    }

    @Test func `a Redis that is full is read all the same, which makes room`() throws {
        let receiver = try Receiver { _, _ in .status(503) }
        let cluster = try SinkCluster(receiver, nodes: both)
        try cluster.waitUntilShared([2, 2])
        // More than is on its way at once: the rest must be read while Redis is full.
        var posted = 0
        try cluster.post(400, toEach: [0], after: &posted)
        for node in cluster.nodes { try node.waitUntilStreamsAreDrained() }
        try cluster.redis.command("CONFIG", "SET", "maxmemory", "1")
        for node in cluster.nodes {
            try node.wait(until: "it says that nobody deals the partitions out") {
                node.records.contains {
                    $0["message"]?.string?.hasPrefix("nodes do not agree on the sinks") == true
                        && $0["error"]?.string?.contains("OOM") == true
                }
            }
        }
        receiver.obey { _, _ in .status(200) }
        try cluster.waitUntilDelivered(posted)
        try cluster.redis.command("CONFIG", "SET", "maxmemory", "0")
        try cluster.waitUntilShared([2, 2])
        try cluster.waitUntilSettled()
        for node in cluster.nodes { #expect(try node.terminate() == .exited(0)) }
    }

    @Test func `without the right to keep a set each node reads everything and says so`() throws {
        let receiver = try Receiver()
        let cluster = try SinkCluster(receiver, timeout: "20s", nodes: [both[0]])
        try cluster.waitUntilShared([4])
        try cluster.redis.command("ACL", "SETUSER", "default", "-zadd")
        try cluster.nodes[0].wait(until: "it says so") {
            cluster.nodes[0].records.contains {
                $0["message"]?.string?.hasPrefix("nodes do not agree on the sinks") == true
            }
        }
        var posted = 0
        try cluster.post(200, toEach: [0], after: &posted)
        try cluster.waitUntilDone(posted)
        #expect(try cluster.nodes[0].terminate() == .exited(0))
    }
}
