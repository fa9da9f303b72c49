internal import Glibc
import Primitives
import TestSupport
import Testing

extension FaultTests {
    /// The cache under crowds, floods, and a Redis that hangs, dies and comes back.
    @Suite struct CacheFaultTests {
        private static let whole = "/query?metric=count&from=1971-01-01&to=2100-01-01"

        private func fill(_ service: RunningService, _ count: Int) throws {
            for first in stride(from: 0, to: count, by: 5000) {
                let lines = (first..<min(first + 5000, count)).map {
                    #"{"type":"t","time":"2026-01-01T00:00:00Z","n":\#($0),"k":"k\#($0 % 97)"}"#
                }
                let reply = try service.post("/events?ack=stored&timeout_ms=30000", lines: lines)
                guard reply.status == 200 else { throw TestError("not stored: \(reply.text)") }
            }
        }

        @Test(.alone) func `a thousand clients on one cold key run its query once`() throws {
            let service = try RunningService.start()
            try fill(service, 50_000)
            let crowd = try (0..<1000).map { _ in try service.connect(timeout: .seconds(60)) }
            let asked = CacheFaultTests.whole + "&group_by=k&metric=p95:n,uniq:n"
            for client in crowd { try client.send("GET", asked) }
            let replies = try crowd.map { try $0.receive() }
            #expect(replies.allSatisfy { $0.status == 200 && $0.text == replies[0].text })
            let cache = try service.status("cache")
            #expect(cache?["computed"]?.integer == 1)
            print("a thousand clients: \(cache?["collapsed"]?.integer ?? 0) waited for one")
            #expect(try service.terminate() == .exited(0))
        }

        @Test(.alone) func `a flood of distinct questions takes no more memory than it may`() throws
        {
            let bound = 8 << 20
            let service = try RunningService.start(["--cache-memory", "8MiB"])
            try fill(service, 200)
            let wire = try service.connect()
            func flood(_ range: Range<Int>) throws {
                for first in stride(from: range.lowerBound, to: range.upperBound, by: 50) {
                    for index in first..<first + 50 {
                        try wire.send(
                            "GET", CacheFaultTests.whole + "&group_by=k&where=n:ne:\(index)")
                    }
                    for _ in 0..<50 { _ = try wire.receive() }
                }
            }
            // Connections to the store and buffers are there after the first questions.
            try flood(0..<500)
            let before = service.residentBytes
            let count = FaultForm.pick(short: 4000, long: 100_000)
            try flood(500..<500 + count)
            let growth = service.residentBytes - before
            let memory = try service.status("cache", "memory")
            let bytes = try #require(memory?["bytes"]?.integer)
            #expect(bytes <= bound && memory?["evicted"]?.integer ?? 0 > 0)
            print(
                "\(count) distinct questions: \(growth >> 10) KiB more, \(bytes >> 10) KiB counted")
            // What is counted, and as much again for the allocator and what is under way.
            #expect(growth < 2 * bound)
            #expect(try service.terminate() == .exited(0))
        }

        @Test(.alone) func `a Redis that hangs delays nobody for long`() throws {
            let redis = try RedisServer()
            let service = try RunningService.start(["--cache-redis-url", redis.url])
            try fill(service, 2000)
            try service.wait(until: "the cache's Redis is seen") {
                try service.status("cache", "redis", "server", "version") != nil
            }
            let wire = try service.connect()
            var next = 0
            func measure() throws -> (cached: Duration, uncached: Duration) {
                var times: [[Duration]] = [[], []]
                let count = FaultForm.pick(short: 300, long: 5000)
                for _ in 0..<count {
                    next += 1
                    let targets = [
                        CacheFaultTests.whole,
                        CacheFaultTests.whole + "&group_by=k&where=n:ne:\(next)",
                    ]
                    for (index, target) in targets.enumerated() {
                        let start = MonotonicTime.now()
                        #expect(try wire.ask("GET", target).status == 200)
                        times[index].append(MonotonicTime.now().since(start))
                    }
                }
                let p99 = times.map { $0.sorted()[count * 99 / 100] }
                return (p99[0], p99[1])
            }
            let before = try measure()
            redis.pause()
            defer { redis.resume() }
            let during = try measure()
            print(
                "p99 with Redis: \(before.cached) cached, \(before.uncached) uncached; "
                    + "while it hangs: \(during.cached) and \(during.uncached)")
            // A question waits for Redis 250 ms at the most, and only until the breaker is open.
            #expect(during.cached < .milliseconds(100) * slowness)
            #expect(during.uncached < .milliseconds(350) * slowness)
            redis.resume()
            try service.wait(until: "Redis is used again") {
                try service.get("/readyz").json()["components"]?["redis_cache"]?.string == "ok"
            }
            #expect(try service.terminate() == .exited(0))
        }
    }
}
