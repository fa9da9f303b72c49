internal import Glibc
import Primitives
import TestSupport
import Testing

/// What Redis itself lost is made good, for every node that reads.
@Suite(.processes) struct StreamLossTests {
    /// What a test found.
    private struct Outcome: Sendable {
        var accountings: [Accounting] = []
        /// What each node says of its streams at the end, for a failure.
        var reports: [String] = []
        var statuses: [Int: Int] = [:]
        var losses: [Int] = []
        var exits: [ProcessEnding] = []
    }

    @Test(arguments: ["FLUSHALL", "FLUSHALL with a node away", "XGROUP DESTROY", "killed", "older"])
    func `two nodes hold everything although the streams or their groups went away`(
        what: String
    ) throws {
        let outcome = try StreamLossTests.lose(what)
        print("\(what): \(outcome.accountings); losses \(outcome.losses)")
        #expect(outcome.accountings.count == 2)
        for accounting in outcome.accountings {
            #expect(accounting.isRight, "\(outcome.reports.joined(separator: "\n"))")
        }
        #expect(outcome.statuses.keys.allSatisfy { $0 == 202 }, "\(outcome.statuses)")
        #expect(outcome.exits == [.exited(0), .exited(0)])
        if what != "XGROUP DESTROY" { #expect(outcome.losses.contains { $0 > 0 }) }
    }

    private static func lose(_ what: String) throws -> Outcome {
        let redis = try RedisServer()
        let nodes = try ["n1", "n2"].map { try RunningService.start(redis: redis.url, node: $0) }
        for node in nodes { try node.waitUntilStreamsAre("ok") }
        let loads = nodes.enumerated().map { index, node in
            EventLoad(
                on: node, clients: 2, prefix: "l\(index)", seed: UInt64(index),
                pause: .milliseconds(10), subjects: 20, batchLimit: 50, marksEvery: 3)
        }
        for _ in 0..<2 {
            for (node, load) in zip(nodes, loads) { try node.waitForMore(500, of: load) }
            try lose(what, redis, nodes)
        }
        for (node, load) in zip(nodes, loads) { try node.waitForMore(200, of: load) }
        for load in loads { load.stop() }
        var outcome = Outcome()
        let acknowledged = loads.reduce(into: Set<String>()) { $0.formUnion($1.acknowledged) }
        for load in loads { outcome.statuses.merge(load.statuses) { $0 + $1 } }
        for node in nodes {
            try node.waitUntilStreamsAreDrained()
            try? node.wait(until: "all are there", within: .seconds(20), every: .milliseconds(50)) {
                try node.storedCount() >= acknowledged.count
            }
            outcome.accountings.append(
                Accounting(
                    acknowledged: acknowledged, sent: acknowledged,
                    stored: try node.storedMarks()))
            outcome.reports.append("\(try node.get("/status").text)\n\(node.output.suffix(6000))")
            outcome.losses.append(
                try node.status("stream", "forwarder", "losses")?.integer ?? -1)
        }
        outcome.exits = try nodes.map { try $0.terminate() }
        return outcome
    }

    private static func lose(
        _ what: String, _ redis: RedisServer, _ nodes: [RunningService]
    ) throws {
        switch what {
        case "FLUSHALL with a node away":
            nodes[1].send(SIGSTOP)
            try redis.command("FLUSHALL")
            // The other one sends again, reads, and looks twice for what could be trimmed.
            usleep(2_500_000)
            nodes[1].send(SIGCONT)
        case "FLUSHALL": try redis.command("FLUSHALL")
        case "XGROUP DESTROY":
            for key in RedisServer.keys() {
                for group in ["n1", "n2"] { try redis.command("XGROUP", "DESTROY", key, group) }
            }
        case "older":
            // As a replica that had not come so far when it became the master.
            try redis.command("SAVE")
            usleep(700_000)
            redis.kill()
            try redis.start()
        default:
            redis.kill()
            try redis.start(withData: false)
        }
    }
}
