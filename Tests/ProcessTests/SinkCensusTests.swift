import TestSupport
import Testing

/// What nodes that are gone leave in a sink's group.
@Suite(.processes) struct SinkCensusTests {
    @Test func `a vanished node's consumer goes once nothing of it is pending, and not before`()
        throws
    {
        let receiver = try Receiver { _, _ in .hang }
        let cluster = try SinkCluster(
            receiver, ["--stream-consumer-max-idle", "1s"],
            nodes: [("stays", "serve"), ("goes", "serve")])
        let node = cluster.nodes[0]
        try cluster.post(0..<400, to: 0)
        try node.wait(until: "both have entries pending") {
            let consumers = try cluster.consumers()
            return ["stays", "goes"].allSatisfy { consumers[$0]?.pending ?? 0 > 0 }
        }
        cluster.nodes[1].kill()
        // Three searches find it idle and leave it, because its entries would go with it.
        try node.wait(until: "it was idle for long") {
            try #require(cluster.consumers()["goes"]).idle > 3500
        }
        #expect(try cluster.consumers()["goes"]?.pending ?? 0 > 0)
        receiver.obey { _, _ in .status(200) }
        try cluster.waitUntilDelivered(400)
        #expect(try cluster.sink(0)["redelivered"]?.integer ?? 0 > 0)
        let metrics = try node.get("/metrics").text
        #expect(metrics.contains(#"millrace_sink_redeliveries_total{sink="audit"} "#))
        #expect(!metrics.contains("millrace_sink_redeliveries_total{sink=\"audit\"} 0\n"))
        try node.wait(until: "it is removed") {
            try cluster.consumers()["goes"] == nil
        }
        #expect(
            node.records.contains {
                $0["message"]?.string == "idle consumer removed"
                    && $0["group"]?.string == SinkCluster.group
                    && $0["consumer"]?.string == "goes"
            })
        try cluster.post(400..<500, to: 0)
        try cluster.waitUntilDelivered(500)
        #expect(try node.terminate() == .exited(0))
    }
}
