import Primitives
import TestSupport
import Testing

/// An event is one event, on whichever way it comes to a store and however often.
@Suite(.processes) struct StreamIdentityTests {
    /// Ids of the clients' own, among them what the service might take for one of its own, and
    /// events without.
    private static let events = [
        #"{"id":"plain","type":"a"}"#,
        #"{"id":"plain","type":"a","source":"/other"}"#,
        #"{"id":"01890a5d-ac96-774b-bcce-b302099a8057","type":"a"}"#,
        #"{"id":"01890A5D-AC96-774B-BCCE-B302099A8057","type":"a"}"#,
        #"{"id":"\u0022\\\u00fc:g","type":"a","source":"/q\"\\:g"}"#,
        #"{"id":"7","type":"a","subject":"s"}"#,
        #"{"type":"b"}"#, #"{"type":"b","source":"/own","subject":"s"}"#, #"{"type":"b"}"#,
    ]
    private static let generatedCount = 3

    /// What a test found.
    private struct Outcome: Sendable {
        /// Per step and node: events stored, and events that were there already.
        var counts: [[Int]] = []
        var duplicates: [[Int]] = []
        /// Ids of the entries in Redis, with whether they are marked as given by the service.
        var sentFirst: [String] = []
        var sentAgain: [String] = []
        var sentLate: [String] = []
    }

    @Test func `by stream, sent again and straight from the journal it has the same key`()
        throws
    {
        let outcome = try StreamIdentityTests.go()
        let count = StreamIdentityTests.events.count
        print("identity: stored \(outcome.counts), again \(outcome.duplicates)")
        #expect(outcome.counts == [[count, count], [count, count], [2 * count, 2 * count]])
        // What Redis lost came a second time to the other node; its own a node takes from its journal,
        // and from the streams only what it had sent before it was killed and not acknowledged.
        for (step, least) in [[0, 0], [0, count], [count, count]].enumerated() {
            #expect(zip(outcome.duplicates[step], least).allSatisfy { $0 >= $1 }, "step \(step)")
        }
        #expect(
            outcome.sentFirst.count == count && Set(outcome.sentAgain) == Set(outcome.sentFirst))
        let generated = [outcome.sentFirst, outcome.sentLate].map { sent in
            Set(sent.filter { $0.hasSuffix(" generated") }).count
        }
        let expected = StreamIdentityTests.generatedCount
        #expect(generated == [expected, 2 * expected])
    }

    private static func go() throws -> Outcome {
        let redis = try RedisServer()
        var nodes = try ["n1", "n2"].map { try RunningService.start(redis: redis.url, node: $0) }
        for node in nodes { try node.waitUntilStreamsAre("ok") }
        try redis.addGroup("stranger")
        var outcome = Outcome()
        try post(events, to: nodes[0])
        try note(nodes, stored: events.count, again: [0, 0], &outcome)
        outcome.sentFirst = try sent(redis)
        // The journal is sent again as a whole.
        try redis.command("FLUSHALL")
        try redis.addGroup("stranger")
        try note(nodes, stored: events.count, again: [0, events.count], &outcome)
        outcome.sentAgain = try sent(redis)
        // The node stores and sends, and is killed before it reads what it sent.
        try force(nodes[0], "forced_open")
        try post(events, to: nodes[0], "2")
        try nodes[0].wait(until: "they are sent") {
            try nodes[0].status("stream", "forwarder", "unforwarded")?.integer == 0
        }
        nodes[0].kill()
        nodes[0] = try nodes[0].startAgain()
        try note(nodes, stored: 2 * events.count, again: [events.count, events.count], &outcome)
        outcome.sentLate = try sent(redis)
        for node in nodes { _ = try node.terminate() }
        return outcome
    }

    /// - Parameter suffix: makes other events of the clients' own.
    private static func post(
        _ events: [String], to node: RunningService, _ suffix: String = ""
    ) throws {
        let lines = events.map { $0.replacing(#"{"id":""#, with: #"{"id":"\#(suffix)"#) }
        let reply = try node.post("/events?ack=stored&timeout_ms=20000", lines: lines)
        guard reply.status == 200 else { throw TestError("\(reply.status) \(reply.text)") }
    }

    private static func force(_ node: RunningService, _ state: String) throws {
        let reply = try node.putBreaker("stream-consumer", #"{"state":"\#(state)"}"#)
        guard reply.status == 200 else { throw TestError("\(reply.status) \(reply.text)") }
    }

    /// Waits for what should be, and notes what is.
    private static func note(
        _ nodes: [RunningService], stored: Int, again: [Int], _ outcome: inout Outcome
    ) throws {
        for (node, again) in zip(nodes, again) {
            try node.waitUntilStreamsAreDrained()
            try? node.wait(until: "it has all", within: .seconds(15), every: .milliseconds(20)) {
                try node.status("events", "duplicates")?.integer ?? 0 >= again
                    && node.storedCount() >= stored
            }
        }
        outcome.counts.append(try nodes.map { try $0.storedCount() })
        outcome.duplicates.append(
            try nodes.map { try $0.status("events", "duplicates")?.integer ?? -1 })
    }

    /// The entries in the streams that nobody has trimmed, in no order.
    private static func sent(_ redis: RedisServer) throws -> [String] {
        zip(try redis.values(of: "event"), try redis.values(of: "origin")).map { event, origin in
            let id = (try? JSONTree.parse(event)["id"]?.string) ?? "unreadable"
            return id + (origin.hasSuffix(":g") ? " generated" : "")
        }.sorted()
    }
}
