import Primitives
import TestSupport

/// Questions about the streams of a service.
extension RunningService {
    /// Starts a service that has a Redis, named `node`.
    static func start(
        redis url: String, node: String = "n1", _ arguments: [String] = []
    ) throws -> RunningService {
        try start(["--redis-url", url, "--node", node] + arguments)
    }

    /// A member of `/status` by the names on the way to it.
    func status(_ path: String...) throws -> JSONTree? {
        var value: JSONTree? = try get("/status").json()
        for name in path { value = value?[name] }
        return value
    }

    /// The state of both lanes' breakers.
    func breakers() throws -> [String] {
        try ["streams", "stream-consumer"].map {
            try status("breakers", $0, "state")?.string ?? "none"
        }
    }

    func waitUntilStreamsAre(_ word: String, within limit: Duration = .seconds(30)) throws {
        try wait(until: "redis_streams is \(word)", within: limit, every: .milliseconds(10)) {
            try get("/readyz").json()["components"]?["redis_streams"]?.string == word
        }
    }

    /// Waits for this node's group.
    func waitUntilGroupIsMade() throws {
        try wait(until: "the consumer group is made") {
            records.contains { $0["message"]?.string == "consumer group made" }
        }
    }

    /// Waits until everything is stored and has been sent to Redis, and what was read from there when
    /// the node last looked is acknowledged.
    func waitUntilStreamsAreDrained(within limit: Duration = .seconds(60)) throws {
        try waitUntilStreamsAre("ok", within: limit)
        try wait(until: "the streams are drained", within: limit, every: .milliseconds(20)) {
            let status = try get("/status").json()
            return status["journal"]?["unstored"]?.integer == 0
                && status["stream"]?["forwarder"]?["unforwarded"]?.integer == 0
                && status["stream"]?["forwarder"]?["gaps"]?.integer == 0
                && status["stream"]?["pending"]?.integer == 0
                && status["stream"]?["mode"]?.string == "streaming"
        }
    }

    /// Lets a load run until so many more of its events are taken.
    func waitForMore(_ count: Int = 100, of load: EventLoad) throws {
        let goal = load.acknowledgedCount + count
        try wait(until: "\(count) more events are taken") { load.acknowledgedCount >= goal }
    }

    /// Posts to all nodes at once, until each has taken 500 events.
    /// - Returns: what was acknowledged.
    static func load(_ nodes: [RunningService]) throws -> Set<String> {
        let loads = nodes.enumerated().map { index, node in
            EventLoad(
                on: node, clients: 2, prefix: "n\(index)", seed: UInt64(index),
                pause: .milliseconds(2), subjects: 10)
        }
        try nodes[0].wait(until: "events are taken") {
            loads.allSatisfy { $0.acknowledgedCount > 500 }
        }
        for load in loads { load.stop() }
        return loads.reduce(into: []) { $0.formUnion($1.acknowledged) }
    }

    /// Ends a load and says what became of it.
    func account(for load: EventLoad) throws -> Accounting {
        load.stop()
        try waitUntilStreamsAreDrained()
        return Accounting(
            acknowledged: load.acknowledged, sent: load.sent, stored: try storedMarks())
    }
}
