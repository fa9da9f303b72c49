import TestSupport

/// Nodes that share a Redis and one sink, `audit`, which delivers to a receiver of the test's.
struct SinkCluster {
    /// The sink's consumer group.
    static let group = "millrace-sink:audit"

    let redis: RedisServer
    let receiver: Receiver
    private let folder: TemporaryDirectory
    var nodes: [RunningService] = []

    /// - Parameters:
    ///   - nodes: the name of each, and what it is started with.
    ///   - arguments: of all nodes.
    ///   - timeout: of a request to the receiver; generous where nothing is to fail.
    init(
        _ receiver: Receiver, _ arguments: [String] = [], timeout: String = "1s",
        nodes: [(name: String, command: String)] = [
            ("a", "serve"), ("b", "serve"), ("w", "worker"),
        ]
    ) throws {
        self.receiver = receiver
        redis = try RedisServer()
        folder = try TemporaryDirectory()
        let path = folder.file("millrace.yaml")
        try folder.write(
            "millrace.yaml",
            """
            redis-url: \(redis.url)
            stream-claim-after: 1s
            sinks:
              audit: { url: "\(receiver.url)", batch-size: 20, timeout: \(timeout) }

            """)
        for (name, command) in nodes {
            self.nodes.append(
                try RunningService.start(
                    ["--config", path, "--node", name] + arguments, command: command))
        }
    }

    /// Posts events `e<number>`, one request, spread over partitions.
    func post(_ numbers: Range<Int>, to index: Int) throws {
        let lines = numbers.map {
            #"{"id":"e\#($0)","source":"/t","type":"paid","subject":"s\#($0 % 40)","n":\#($0)}"#
        }
        let reply = try nodes[index].post("/events", lines: lines)
        guard reply.status == 202 else { throw TestError("\(reply.status) \(reply.text)") }
    }

    /// Posts `count` events to each of these nodes; they follow the `posted` that came before.
    func post(_ count: Int, toEach indices: some Sequence<Int>, after posted: inout Int) throws {
        for index in indices {
            try post(posted..<posted + count, to: index)
            posted += count
        }
    }

    /// What a node says of the sink.
    func sink(_ index: Int) throws -> JSONTree {
        try nodes[index].get("/status").json()["sinks"]?["audit"] ?? .null
    }

    /// Waits until the first nodes read so many partitions, all of them and each one once.
    func waitUntilShared(_ counts: [Int]) throws {
        try nodes[0].wait(until: "the partitions are dealt out as \(counts)") {
            let own = try counts.indices.map { index in
                try sink(index)["partitions"]?.array?.compactMap(\.integer) ?? []
            }
            return own.map(\.count).sorted() == counts.sorted() && Set(own.joined()).count == 4
        }
    }

    func waitUntilDelivered(_ count: Int, within limit: Duration = .seconds(60)) throws {
        let all = Set((0..<count).map { "e\($0)" })
        try nodes[0].wait(until: "all are delivered", within: limit) {
            all.isSubset(of: Set(receiver.taken))
        }
    }

    /// Waits until all is delivered, and acknowledged in Redis too.
    func waitUntilDone(_ count: Int) throws {
        try waitUntilDelivered(count)
        try waitUntilSettled()
    }

    /// Waits until the sink's group has nothing left to read or to acknowledge.
    func waitUntilSettled() throws {
        for key in RedisServer.keys() {
            try nodes[0].wait(until: "the sink's group has nothing pending") {
                let lines = try redis.command("XINFO", "GROUPS", key)
                guard let start = lines.firstIndex(of: SinkCluster.group) else { return false }
                func value(_ name: String) -> String? {
                    lines[start...].firstIndex(of: name).map { lines[$0 + 1] }
                }
                return value("pending") == "0" && value("lag") == "0"
            }
        }
    }

    /// Consumers of the sink's group, in any partition: whether they have entries pending, and the
    /// shortest time for which one was idle, in milliseconds.
    func consumers() throws -> [String: (pending: Int, idle: Int)] {
        var found: [String: (pending: Int, idle: Int)] = [:]
        for key in RedisServer.keys() {
            let lines = try redis.command("XINFO", "CONSUMERS", key, SinkCluster.group)
            for (index, line) in lines.enumerated() where line == "name" && index + 5 < lines.count
            {
                let before = found[lines[index + 1]] ?? (0, .max)
                found[lines[index + 1]] = (
                    before.pending + (Int(lines[index + 3]) ?? 0),
                    min(before.idle, Int(lines[index + 5]) ?? 0)
                )
            }
        }
        return found
    }

    /// Numbers of events that arrived more than once.
    var repeated: [Int] {
        var seen: Set<String> = []
        return receiver.taken.filter { !seen.insert($0).inserted }
            .compactMap { Int($0.dropFirst()) }
    }
}
