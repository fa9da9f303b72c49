import TestSupport
import Testing

/// What nodes that are gone leave in the group of a store.
@Suite(.processes) struct StreamCensusTests {
    @Test func `a replacement removes its predecessor's consumer once nothing of it is pending`()
        throws
    {
        let redis = try RedisServer()
        let first = try RunningService.start(redis: redis.url, node: "n1")
        try first.waitUntilStreamsAre("ok")
        let blocker = try StoreBlocker(first)
        let lines = (0..<200).map {
            #"{"id":"e\#($0)","source":"/t","type":"t","subject":"s\#($0)"}"#
        }
        #expect(try first.post("/events", lines: lines).status == 202)
        try first.wait(until: "entries are pending in every partition") {
            try RedisServer.keys().allSatisfy { key in
                try Int(redis.command("XPENDING", key, "n1").first ?? "") ?? 0 > 0
            }
        }
        first.kill()
        blocker.release()
        let second = try RunningService.start(
            redis: redis.url, node: "n2",
            [
                "--group", "n1", "--stream-claim-after", "1s",
                "--stream-consumer-max-idle", "1s",
            ])
        try second.wait(until: "the consumer of n1 is gone") {
            try RedisServer.keys().allSatisfy { key in
                !(try redis.command("XINFO", "CONSUMERS", key, "n1").contains("n1"))
            }
        }
        try second.waitUntilStreamsAreDrained()
        #expect(try second.storedCount() == 200)
        #expect(try second.status("stream", "consumer", "claimed")?.integer ?? 0 > 0)
        #expect(
            second.records.contains {
                $0["message"]?.string == "idle consumer removed"
                    && $0["group"]?.string == "n1" && $0["consumer"]?.string == "n1"
            })
        #expect(try second.terminate() == .exited(0))
    }
}
