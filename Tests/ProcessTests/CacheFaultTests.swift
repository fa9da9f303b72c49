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

        @Test(.alone) func `a thousand clients on one cold key run its query once a node`() throws {
            let redis = try RedisServer()
            let nodes = try ["n1", "n2"].map {
                try RunningService.start(redis: redis.url, node: $0)
            }
            let count = 50_000
            try fill(nodes[0], count)
            try nodes[1].wait(until: "the other node has the events") {
                try nodes[1].get(CacheFaultTests.whole + "&cache=bypass").json()["rows"]?[0]?[0]?
                    .integer == count
            }
            let crowd = try (0..<1000).map { try nodes[$0 % 2].connect(timeout: .seconds(60)) }
            let asked = CacheFaultTests.whole + "&group_by=k&metric=p95:n,uniq:n"
            let before = try nodes.map { try computed($0) }
            for client in crowd { try client.send("GET", asked) }
            let replies = try crowd.map { try $0.receive() }
            #expect(replies.allSatisfy { $0.status == 200 && $0.text == replies[0].text })
            let runs = try zip(nodes, before).map { try computed($0) - $1 }
            #expect(runs.allSatisfy { $0 <= 1 } && runs.contains(1), "\(runs)")
            let waited = try nodes.map { try $0.status("cache", "collapsed")?.integer ?? 0 }
            print("500 clients at each of two nodes: \(runs) runs, \(waited) waited for another's")
            for node in nodes { #expect(try node.terminate() == .exited(0)) }
        }

        private func computed(_ service: RunningService) throws -> Int {
            try service.status("cache", "computed")?.integer ?? 0
        }

        @Test(.alone)
        func `a flood of distinct questions stays within its memory and slows nobody`()
            throws
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
            let others = SteadyLoad(on: service, perSecond: 100) {
                $0 % 2 == 0 ? CacheFaultTests.whole : "/healthz"
            }
            let start = MonotonicTime.now()
            sleep(until: .after(.seconds(2)))
            let before = service.residentBytes
            let count = FaultForm.pick(short: 4000, long: 100_000)
            let flooded = MonotonicTime.now()
            try flood(500..<500 + count)
            let end = MonotonicTime.now()
            let growth = service.residentBytes - before
            try others.stop()
            let memory = try service.status("cache", "memory")
            let bytes = try #require(memory?["bytes"]?.integer)
            #expect(bytes <= bound && memory?["evicted"]?.integer ?? 0 > 0)
            print(
                "\(count) distinct questions: \(growth >> 10) KiB more, \(bytes >> 10) KiB counted")
            // What is counted, and as much again for the allocator and what is under way.
            #expect(growth < (MillraceBinary.isSanitized == true ? 3 : 2) * bound)
            let (quiet, busy) = (
                others.times(from: start, to: flooded), others.times(from: flooded, to: end)
            )
            print("hits and health: \(quiet); while it floods: \(busy)")
            #expect(busy.count > 50 && busy.p99 < .milliseconds(100) * slowness)
            #expect(try service.terminate() == .exited(0))
        }

        @Test(.alone) func `a Redis that hangs delays nobody for long, and comes back quietly`()
            throws
        {
            let redis = try RedisServer()
            let service = try RunningService.start(["--cache-redis-url", redis.url])
            try fill(service, 2000)
            try service.wait(until: "the cache's Redis is seen") {
                try service.status("cache", "redis", "server", "version") != nil
            }
            let phases = [
                FaultForm.pick(short: 2, long: 10), FaultForm.pick(short: 4, long: 60),
                FaultForm.pick(short: 3, long: 20),
            ]
            let rate = 50
            let cached = SteadyLoad(on: service, perSecond: rate) { _ in CacheFaultTests.whole }
            let uncached = SteadyLoad(on: service, perSecond: rate) {
                CacheFaultTests.whole + "&group_by=k&where=n:ne:\($0)"
            }
            sleep(until: .after(.seconds(1)))
            var moments = [MonotonicTime.now()]
            func pass(_ phase: Int) {
                sleep(until: .after(.seconds(phases[phase])))
                moments.append(.now())
            }
            pass(0)
            redis.pause()
            defer { redis.resume() }
            pass(1)
            let runs = try computed(service)
            redis.resume()
            pass(2)
            let runsAfter = try computed(service) - runs
            try cached.stop()
            try uncached.stop()
            let names = ["with Redis", "while it hangs", "after its return"]
            let times = (0..<3).map { phase in
                [cached, uncached].map { $0.times(from: moments[phase], to: moments[phase + 1]) }
            }
            for (name, times) in zip(names, times) {
                print("\(name): cached \(times[0]); uncached \(times[1])")
            }
            // On a machine with other work it takes long before as well.
            func limit(_ least: Duration, _ load: Int) -> Duration {
                max(least * slowness, times[0][load].p99 * 2)
            }
            // Until the breaker is open a question waits up to 250 ms. Of a minute that is under a
            // hundredth, of a few seconds it is more.
            let most = FaultForm.pick(short: Duration.milliseconds(350), long: .milliseconds(100))
            #expect(times[1][0].p99 < limit(.milliseconds(100), 0))
            #expect(times[1][1].p99 < limit(most, 1))
            #expect(times[2][0].p99 < limit(.milliseconds(100), 0))
            #expect(times[2][1].p99 < limit(.milliseconds(100), 1))
            // Nothing but the new questions is computed once it is back; a second's worth may have
            // been under way.
            #expect(runsAfter <= (phases[2] + 2) * rate, "\(runsAfter)")
            print("computed in \(phases[2]) s after its return: \(runsAfter)")
            try service.wait(until: "Redis is used again") {
                try service.get("/readyz").json()["components"]?["redis_cache"]?.string == "ok"
            }
            #expect(try service.terminate() == .exited(0))
        }
    }
}
