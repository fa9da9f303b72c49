internal import Glibc
import Primitives
import TestSupport
import Testing

extension FaultTests {
    /// Redis fails while a sink has batches on their way.
    @Suite struct SinkRedisFaultTests {
        enum Fault: String, CaseIterable {
            case stopped, full, readOnly

            func begin(_ redis: RedisServer) throws {
                switch self {
                case .stopped: redis.pause()
                case .full: try redis.command("CONFIG", "SET", "maxmemory", "1")
                // Made a replica of a server that is not there, as after a failover.
                case .readOnly: try redis.command("REPLICAOF", "127.0.0.1", "1")
                }
            }

            func end(_ redis: RedisServer) throws {
                switch self {
                case .stopped: redis.resume()
                case .full: try redis.command("CONFIG", "SET", "maxmemory", "0")
                case .readOnly: try redis.command("REPLICAOF", "NO", "ONE")
                }
            }
        }

        @Test(arguments: Fault.allCases)
        func `each event still arrives, and twice only around the fault`(_ fault: Fault) throws {
            // What is asked while the fault begins is answered after it has begun.
            let receiver = try Receiver { _, _ in
                usleep(20_000)
                return .status(200)
            }
            let cluster = try SinkCluster(receiver, nodes: [("a", "serve"), ("b", "serve")])
            var posted = 0
            func postSome() throws {
                try cluster.post(200, toEach: cluster.nodes.indices, after: &posted)
            }
            try postSome()
            try cluster.waitUntilDone(posted)
            let calm = posted
            try postSome()
            try cluster.nodes[0].wait(until: "batches are on their way") {
                receiver.taken.count > calm
            }
            try fault.begin(cluster.redis)
            let began = MonotonicTime.now()
            // Taken all the same.
            try postSome()
            try cluster.nodes[0].waitUntilStreamsAre("open", within: .seconds(10))
            print("\(fault): open after \(MonotonicTime.now().since(began))")
            try postSome()
            try fault.end(cluster.redis)
            for node in cluster.nodes { try node.waitUntilStreamsAre("ok", within: .seconds(40)) }
            try cluster.waitUntilDelivered(posted)
            for node in cluster.nodes { try node.waitUntilStreamsAreDrained() }
            try cluster.waitUntilSettled()
            let troubled = posted
            try postSome()
            try cluster.waitUntilDone(posted)
            let repeated = cluster.repeated
            print("sink, \(fault): \(posted) events, \(repeated.count) delivered twice")
            #expect(repeated.allSatisfy { (calm..<troubled).contains($0) }, "\(repeated)")
            for index in cluster.nodes.indices {
                let node = cluster.nodes[index]
                // The sink's group may be ahead of this node's own, which reads what another took.
                try node.wait(until: "it holds everything") { try node.storedCount() >= posted }
                #expect(try cluster.sink(index)["lost"]?.integer == 0)
                #expect(try node.storedCount() == posted)
                #expect(try node.terminate() == .exited(0))
            }
        }
    }
}
