import Primitives
import TestSupport
import Testing

/// A window of a day that is asked for again and again while events arrive.
@Suite(.processes) struct RollingWindowTests {
    private func line(_ index: Int, ago milliseconds: Int64) -> String {
        let time = Timestamp.format(WallClock.nowMilliseconds() - milliseconds)
        return """
            {"type":"page.view","time":"\(time)","subject":"u\(index % 300)",\
            "data":{"path":"/p/\(index % 7)","ms":\(index * 7919 % 1000)}}
            """
    }

    private func buckets(_ service: RunningService) throws -> (kept: Int, computed: Int) {
        let counts = try service.status("cache", "buckets")
        return (
            try #require(counts?["kept"]?.integer), try #require(counts?["computed"]?.integer)
        )
    }

    @Test func `comes from its buckets, and is what is computed without them`() throws {
        let service = try RunningService.start()
        let day: Int64 = 86_400_000
        for first in stride(from: 0, to: 20_000, by: 5000) {
            let lines = (first..<first + 5000).map { line($0, ago: Int64($0) * day / 20_000) }
            #expect(try service.post("/events?ack=stored", lines: lines).status == 200)
        }
        let asked =
            "/query?metric=count,avg:ms,p95:ms,uniq:subject&group_by=path&interval=5m&from=-24h"
            + "&order=-time&limit=10000&max_stale=0"
        let wire = try service.connect()
        #expect(try wire.ask("GET", asked).status == 200)
        let before = try buckets(service)
        var compared = 0
        for round in 0..<60 {
            var lines = (0..<20).map { line(round * 20 + $0, ago: 0) }
            // Now and then one comes late, and changes a bucket that was closed.
            if round % 5 == 0 { lines.append(line(round, ago: Int64(round + 1) * 600_000)) }
            #expect(try service.post("/events?ack=stored", lines: lines).status == 200)
            let minute = WallClock.nowMilliseconds() / 60_000
            let kept = try wire.ask("GET", asked)
            let computed = try wire.ask("GET", asked + "&cache=bypass")
            // Both are about the same day only within a minute.
            guard WallClock.nowMilliseconds() / 60_000 == minute else { continue }
            #expect(kept.text == computed.text)
            compared += 1
        }
        #expect(compared > 50)
        let after = try buckets(service)
        let (kept, computed) = (after.kept - before.kept, after.computed - before.computed)
        print("buckets of a day: \(kept) kept, \(computed) computed")
        #expect(kept >= 95 * (kept + computed) / 100 && computed >= 60)
        let plan = try wire.ask("GET", asked + "&explain=1").json()["buckets"]
        #expect(try #require(plan?["kept"]?.integer) >= 280)
        #expect(try service.terminate() == .exited(0))
    }
}
