internal import Glibc
import Primitives
import TestSupport
import Testing

extension FaultTests {
    /// Writers and readers of two nodes that share events and answers, while Redis dies and comes
    /// back: nobody is told less than the node has promised.
    @Suite struct CacheCheckerTests {
        /// What a node's answers have to count at least, and since when.
        private final class Ledger: Sendable {
            private let counts = Locked<[(time: MonotonicTime, count: Int)]>([])

            func add(_ more: Int) {
                counts.withLock { $0.append((.now(), ($0.last?.count ?? 0) + more)) }
            }

            /// `count` or more is known from now on.
            func raise(to count: Int) {
                counts.withLock { if count > $0.last?.count ?? 0 { $0.append((.now(), count)) } }
            }

            /// What was there by `time`.
            func count(by time: MonotonicTime) -> Int {
                counts.withLock { $0.last { $0.time <= time }?.count ?? 0 }
            }
        }

        private struct Node {
            let service: RunningService
            /// Events that it has acknowledged as stored.
            let promised = Ledger()
            /// What strict answers of it have counted, the other node's events among it.
            let shown = Ledger()
        }

        private struct Question {
            let target: String
            /// How old an answer may be.
            let staleness: Duration
            /// The same about what the node itself has acknowledged as stored.
            let ownStaleness: Duration

            var isStrict: Bool { staleness == .zero }
        }

        private static let questions: [Question] = {
            // Dear enough to be shared, from 20,000 events on.
            let whole = "/query?metric=count,p95:n,uniq:n&from=1971-01-01&to=2100-01-01"
            let (second, three) = (Duration.seconds(1), Duration.seconds(3))
            return [
                Question(target: whole + "&max_stale=0", staleness: .zero, ownStaleness: .zero),
                Question(
                    target: whole + "&event=t&max_stale=0", staleness: .zero, ownStaleness: .zero),
                // Who does not say how stale an answer may be finds what was promised here, and
                // what others have sent after a second.
                Question(target: whole, staleness: second, ownStaleness: .zero),
                Question(target: whole + "&format=csv", staleness: second, ownStaleness: .zero),
                Question(target: whole + "&max_stale=3", staleness: three, ownStaleness: three),
            ]
        }()

        /// Events that were sent to either node, acknowledged or not.
        private let sent = Locked(0)

        private func count(_ reply: ClientReply) throws -> Int {
            guard reply.status == 200 else { throw TestError("\(reply.status): \(reply.text)") }
            if reply.header("Content-Type")?.hasPrefix("text/csv") == true {
                let row = reply.text.split(whereSeparator: \.isNewline).last ?? ""
                return Int(row.prefix { $0 != "," }) ?? -1
            }
            return try reply.json()["rows"]?[0]?[0]?.integer ?? -1
        }

        private func lines(_ count: Int, _ random: inout SeededGenerator) -> [String] {
            (0..<count).map { _ in
                let number = Int.random(in: 0..<1000, using: &random)
                return #"{"type":"t","time":"2026-01-01T00:00:00Z","n":\#(number)}"#
            }
        }

        private func write(_ node: Node, _ random: inout SeededGenerator) throws {
            let lines = lines(.random(in: 1...5, using: &random), &random)
            sent.withLock { $0 += lines.count }
            let reply = try node.service.post(
                "/events?ack=stored&timeout_ms=20000", lines: lines)
            // Another level than the one that was asked for is no promise.
            if reply.status == 200 { node.promised.add(lines.count) }
            // Now and then long enough for both nodes to have the same events, and share answers.
            let pause = UInt32.random(in: 0..<8, using: &random) == 0 ? 400_000 : 10_000
            usleep(UInt32.random(in: 0..<UInt32(pause), using: &random))
        }

        private func ask(
            _ node: Node, _ wire: ClientConnection, _ random: inout SeededGenerator
        ) throws {
            let question =
                CacheCheckerTests.questions.randomElement(using: &random)
                ?? CacheCheckerTests.questions[0]
            let start = MonotonicTime.now()
            func moment(_ staleness: Duration) -> MonotonicTime {
                MonotonicTime(nanoseconds: start.nanoseconds - UInt64(staleness.wholeNanoseconds))
            }
            let promised = node.promised.count(by: moment(question.ownStaleness))
            let shown = node.shown.count(by: moment(question.staleness))
            let reply = try wire.ask("GET", question.target)
            let told = try count(reply)
            let sent = sent.withLock { $0 }
            guard told >= promised, told >= shown, told <= sent else {
                throw TestError(
                    "\(question.target): \(told) told, \(promised) promised, \(shown) shown, "
                        + "\(sent) sent; \(reply.headers)")
            }
            if question.isStrict { node.shown.raise(to: told) }
        }

        /// Both nodes hold the same events before anybody asks.
        private func begin(_ nodes: [Node], _ random: inout SeededGenerator) throws {
            let count = 20_000
            let reply = try nodes[0].service.post(
                "/events?ack=stored&timeout_ms=60000", lines: lines(count, &random))
            guard reply.status == 200 else { throw TestError("not stored: \(reply.text)") }
            sent.withLock { $0 = count }
            for node in nodes {
                try node.service.wait(until: "the first events are there", within: .seconds(60)) {
                    try self.count(node.service.get(CacheCheckerTests.questions[0].target)) == count
                }
                node.promised.add(count)
            }
        }

        @Test(.alone) func `no answer is older than promised, whatever Redis does`() throws {
            let redis = try RedisServer()
            let nodes = try ["n1", "n2"].map { name in
                Node(service: try RunningService.start(redis: redis.url, node: name))
            }
            var random = SeededGenerator.printingSeed("cache checker")
            try begin(nodes, &random)
            let end = Deadline.after(FaultForm.pick(short: .seconds(6), long: .seconds(60)))
            let failures = Locked<[String]>([])
            let asked = Locked(0)
            var threads: [Thread] = []
            for (index, node) in nodes.enumerated() {
                for worker in 0..<4 {
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
                // Long enough, now and then, for the breaker to close again.
                usleep(.random(in: 300_000..<FaultForm.pick(short: 1_500_000, long: 6_000_000)))
                redis.kill()
                usleep(700_000)
                try redis.start()
                deaths += 1
            }
            for thread in threads { thread.join() }
            #expect(failures.withLock { $0 } == [])
            print("\(asked.withLock { $0 }) answers checked, Redis died \(deaths) times")
            try checkPurge(nodes)
            for (number, node) in nodes.enumerated() {
                let cache = try node.service.status("cache")
                print(
                    "node \(number + 1): \(cache?["hits"]?.integer ?? 0) hits, "
                        + "\(cache?["stale"]?.integer ?? 0) stale, "
                        + "\(cache?["computed"]?.integer ?? 0) computed; of Redis "
                        + "\(cache?["redis"]?["hits"]?.integer ?? 0) read, "
                        + "\(cache?["redis"]?["writes"]?.integer ?? 0) written")
                #expect(cache?["redis"]?["writes"]?.integer ?? 0 > 0)
                #expect(try node.service.terminate() == .exited(0))
            }
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
