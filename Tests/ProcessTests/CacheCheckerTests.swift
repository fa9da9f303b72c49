internal import Glibc
import Primitives
import TestSupport
import Testing

extension FaultTests {
    /// Writers and readers of two nodes that share events and answers, while Redis dies and comes
    /// back: nobody is told less than the node has promised.
    @Suite struct CacheCheckerTests {
        /// What a node has acknowledged as stored, and when.
        private final class Promises: Sendable {
            private let counts = Locked<[(time: MonotonicTime, count: Int)]>([])

            func add(_ more: Int) {
                counts.withLock { $0.append((.now(), ($0.last?.count ?? 0) + more)) }
            }

            /// What had been acknowledged by `time`.
            func count(by time: MonotonicTime = .now()) -> Int {
                counts.withLock { $0.last { $0.time <= time }?.count ?? 0 }
            }
        }

        private struct Node {
            let service: RunningService
            let promises = Promises()
        }

        /// The question, and how stale its answers may be.
        private static let questions: [(target: String, staleness: Duration)] = {
            let whole = "/query?metric=count&from=1971-01-01&to=2100-01-01"
            return [
                (whole + "&max_stale=0", .zero), (whole + "&event=t&max_stale=0", .zero),
                // Who does not say how stale an answer may be finds what was promised.
                (whole, .zero), (whole + "&format=csv", .zero),
                (whole + "&max_stale=3", .seconds(3)),
            ]
        }()

        private func count(_ reply: ClientReply) throws -> Int {
            guard reply.status == 200 else { throw TestError("\(reply.status): \(reply.text)") }
            if reply.header("Content-Type")?.hasPrefix("text/csv") == true {
                return Int(reply.text.split(whereSeparator: \.isNewline).last ?? "") ?? -1
            }
            return try reply.json()["rows"]?[0]?[0]?.integer ?? -1
        }

        private func write(_ node: Node, _ random: inout SeededGenerator) throws {
            let lines = (0..<Int.random(in: 1...5, using: &random)).map { _ in
                #"{"type":"t","time":"2026-01-01T00:00:00Z"}"#
            }
            let reply = try node.service.post(
                "/events?ack=stored&timeout_ms=20000", lines: lines)
            // Another level than the one that was asked for is no promise.
            if reply.status == 200 { node.promises.add(lines.count) }
        }

        private func ask(
            _ node: Node, _ wire: ClientConnection, _ random: inout SeededGenerator
        ) throws {
            let question =
                CacheCheckerTests.questions.randomElement(using: &random)
                ?? CacheCheckerTests.questions[0]
            let start = MonotonicTime.now()
            let by = MonotonicTime(
                nanoseconds: start.nanoseconds - UInt64(question.staleness.wholeNanoseconds))
            let promised = node.promises.count(by: by)
            let reply = try wire.ask("GET", question.target)
            let told = try count(reply)
            #expect(
                told >= promised,
                "\(question.target): \(promised) promised, \(told) told; \(reply.headers)")
        }

        @Test(.alone) func `no answer is older than promised, whatever Redis does`() throws {
            let redis = try RedisServer()
            let nodes = try ["n1", "n2"].map { name in
                Node(service: try RunningService.start(redis: redis.url, node: name))
            }
            var random = SeededGenerator.printingSeed("cache checker")
            let end = Deadline.after(FaultForm.pick(short: .seconds(6), long: .seconds(60)))
            let failures = Locked<[String]>([])
            let asked = Locked(0)
            var threads: [Thread] = []
            for (index, node) in nodes.enumerated() {
                for worker in 0..<3 {
                    let seed = random.next()
                    threads.append(
                        Thread(name: "check-\(index)-\(worker)") {
                            var random = SeededGenerator(seed: seed)
                            do {
                                let wire = try node.service.connect()
                                while !end.hasPassed {
                                    if worker == 0 {
                                        try write(node, &random)
                                    } else {
                                        try ask(node, wire, &random)
                                        asked.withLock { $0 += 1 }
                                    }
                                }
                            } catch { failures.withLock { $0.append("\(error)") } }
                        })
                }
            }
            var deaths = 0
            while !end.hasPassed {
                usleep(900_000)
                redis.kill()
                usleep(700_000)
                try redis.start()
                deaths += 1
            }
            for thread in threads { thread.join() }
            #expect(failures.withLock { $0 } == [])
            print("\(asked.withLock { $0 }) answers checked, Redis died \(deaths) times")
            try checkPurge(nodes)
            for node in nodes { #expect(try node.service.terminate() == .exited(0)) }
        }

        /// Once Redis is back, a purge at one node reaches the other.
        private func checkPurge(_ nodes: [Node]) throws {
            for node in nodes {
                try node.service.wait(until: "Redis is used again", within: .seconds(60)) {
                    try node.service.get("/readyz").json()["components"]?["redis_cache"]?.string
                        == "ok"
                }
            }
            _ = try nodes[1].service.get(CacheCheckerTests.questions[0].target)
            #expect(try nodes[0].service.request("DELETE", "/admin/cache").status == 200)
            try nodes[1].service.wait(until: "the purge has come", within: .seconds(60)) {
                try nodes[1].service.status("cache", "memory", "entries")?.integer == 0
            }
        }
    }
}
