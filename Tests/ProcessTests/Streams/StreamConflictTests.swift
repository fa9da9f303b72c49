import TestSupport
import Testing

/// Nodes that cannot both be right are told so.
@Suite(.processes) struct StreamConflictTests {
    @Test func `two processes of one group, and fewer partitions than another, are warned of`()
        throws
    {
        let redis = try RedisServer()
        let census = ["--stream-consumer-max-idle", "1s"]
        let first = try RunningService.start(redis: redis.url, node: "n1", census)
        try first.waitUntilStreamsAre("ok")
        try first.wait(until: "Redis was looked at") { try !warnings(first).isEmpty }
        // A process that is gone has left its name, which is no conflict.
        _ = try first.terminate()
        let again = try first.startAgain()
        try again.waitUntilStreamsAre("ok")
        try again.wait(until: "Redis was looked at") { try !warnings(again).isEmpty }
        let alone = try warnings(again)
        let second = try RunningService.start(redis: redis.url, node: "n1", census)
        for node in [again, second] {
            try node.wait(until: "the other is seen") {
                try warnings(node).contains { $0.contains("reads for the group n1 too") }
            }
        }
        let group = try warnings(second)
        _ = try second.terminate()
        try again.wait(until: "the other is gone") {
            try warnings(again).allSatisfy { !$0.contains("reads for the group") }
        }
        let wider = try RunningService.start(
            redis: redis.url, node: "n2", ["--partitions", "8"])
        try wider.waitUntilStreamsAre("ok")
        try again.wait(until: "more partitions are seen") {
            try warnings(again).contains { $0.contains("same --partitions") }
        }
        let partitions = try warnings(again)
        #expect(alone.allSatisfy { !$0.contains("group") && !$0.contains("partitions") })
        #expect(group.count == alone.count + 1)
        #expect(partitions.contains { $0.contains("beyond the 4 partitions") })
    }
}

private func warnings(_ node: RunningService) throws -> [String] {
    try node.status("stream", "server", "warnings")?.array?.compactMap(\.string) ?? []
}
