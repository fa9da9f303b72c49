import Primitives
import TestSupport
import Testing

/// One partition refuses what the others take, and records that are larger than a pipeline.
@Suite(.processes) struct StreamPartitionTests {
    private func lengths(_ redis: RedisServer) throws -> [Int] {
        try RedisServer.keys().map { Int(try redis.command("XLEN", $0).first ?? "") ?? -1 }
    }

    /// - Parameter count: events with subjects of their own, so that all partitions get some.
    private func lines(_ prefix: String, _ count: Int) -> [String] {
        (0..<count).map {
            #"{"id":"\#(prefix)\#($0)","source":"/t","type":"t","subject":"\#($0)"}"#
        }
    }

    @Test(arguments: ["entry", "frame"])
    func `a partition that refuses its events does not let the others have theirs twice`(
        encoding: String
    ) throws {
        let redis = try RedisServer()
        try redis.addGroup("sleeper")
        let service = try RunningService.start(
            redis: redis.url, ["--stream-encoding", encoding])
        try service.waitUntilStreamsAre("ok")
        #expect(try service.post("/events", lines: lines("a", 40)).status == 202)
        try service.waitUntilStreamsAreDrained()
        let before = try lengths(redis)
        try redis.command(
            "ACL", "SETUSER", "default", "-xadd", "(+xadd ~millrace:{0}:events)",
            "(+xadd ~millrace:{1}:events)", "(+xadd ~millrace:{3}:events)")
        #expect(try service.post("/events", lines: lines("b", 40)).status == 202)
        try service.wait(until: "it has failed often", every: .milliseconds(20)) {
            try service.status("stream", "forwarder", "failures")?.integer ?? 0 > 4
        }
        let error = try service.status("stream", "forwarder", "error")?.string ?? ""
        #expect(error.contains("millrace:{2}:events"), "\(error)")
        #expect(
            service.records.contains {
                $0["level"]?.string == "error" && $0["error"]?.string == error
            })
        let meanwhile = try lengths(redis)
        try redis.command("ACL", "SETUSER", "default", "clearselectors", "+xadd")
        try service.waitUntilStreamsAreDrained()
        let after = try lengths(redis)
        for partition in [0, 1, 3] {
            #expect(meanwhile[partition] == after[partition], "\(before) \(meanwhile) \(after)")
        }
        #expect(meanwhile[2] == before[2] && after[2] > before[2])
        if encoding == "entry" {
            let ids = try redis.values(of: "id")
            #expect(ids.count == 80 && Set(ids).count == 80)
        }
        #expect(try service.storedCount() == 80)
        #expect(try service.terminate() == .exited(0))
    }

    @Test(arguments: ["entry", "frame"])
    func `a record of more events than a pipeline holds arrives once`(encoding: String) throws {
        let redis = try RedisServer()
        try redis.addGroup("sleeper")
        let service = try RunningService.start(
            redis: redis.url, ["--stream-encoding", encoding])
        try service.waitUntilStreamsAre("ok")
        // Some 19,000 of them make a record of 1 MiB.
        let count = 30_000
        redis.pause()
        #expect(try service.post("/events", lines: lines("e", count)).status == 202)
        // The trial is a small part of it.
        try service.waitUntilStreamsAre("open")
        redis.resume()
        try service.waitUntilStreamsAreDrained()
        #expect(try service.storedCount() == count)
        if encoding == "entry" {
            let ids = try redis.values(of: "id")
            print("\(ids.count) entries for \(count) events")
            #expect(Set(ids).count == count)
            // What was on its way when Redis stopped comes twice.
            #expect(ids.count <= count + 2 * 4096)
        }
        #expect(try service.terminate() == .exited(0))
    }
}
