import Cache
import Primitives
import SQLite
import Storage
import Telemetry
import TestSupport
import Testing

@testable import Query

/// Answers that are put together from kept buckets are those that one scan gives. `EventFile.result`
/// compares the two for every question of this target; here is what happens between questions.
@Suite(.blocking) struct BucketReuseTests {
    private static let day: Int64 = 86_400_000
    private static let metrics = [
        "count", "sum:v", "avg:v", "min:v", "max:k", "uniq:k", "p50:v", "p99:v", "uniq:type",
    ]

    private func event(
        from: Int64, to: Int64, _ random: inout SeededGenerator
    ) -> TestEvent {
        let value = random.pick(["1", "2", "-7", "2.5", "3.0", "\"x\"", "null", "true", "[1]"])
        return TestEvent(
            time: Int64.random(in: from..<to, using: &random),
            type: random.pick(["a", "b", "rare"]), source: random.pick(["/x", "/y"]),
            subject: random.pick([nil, "ann", "bob"]),
            data: "{\"v\":\(value),\"k\":\"k\(Int.random(in: 0..<5, using: &random))\"}")
    }

    private func question(_ random: inout SeededGenerator) -> String {
        var query = "metric=" + ["count"].appending(random.some(Self.metrics, 3))
        query += "&interval=" + random.pick(["5m", "15m", "1h", "6h", "1d"])
        query += "&from=" + random.pick(["-24h", "-6h", "-7d", "-90m", "-2d"])
        query += random.pick(["", "", "&to=now", "&to=-1h"])
        query += random.pick(["", "&event=a", "&event=a,rare"])
        query += random.pick(["", "&group_by=k", "&group_by=type,v", "&group_by=source"])
        query += random.pick(["", "&where=k:in:k1,k2", "&where=v:gt:0"])
        query += random.pick(["", "&order=-count", "&order=-time&limit=20", "&limit=7"])
        return query + random.pick(["", "&fill=0", "&format=csv", "&tz=Asia/Kolkata"])
    }

    @Test func `while a window rolls on and events come late, rows are those of a scan`() throws {
        var random = SeededGenerator.printingSeed("buckets")
        let file = try EventFile()
        var now = EventFile.now
        try file.add(
            (0..<2000).map { _ in event(from: now - 3 * Self.day, to: now, &random) })
        // Few questions, so that each meets the buckets of its earlier self.
        let questions = (0..<12).map { _ in question(&random) }
        for _ in 0..<240 {
            if random.chance(60) {
                let young = (0..<Int.random(in: 1...4, using: &random)).map { _ in
                    event(from: now, to: now + 60_000, &random)
                }
                let late = random.chance(20) ? [event(from: now - Self.day, to: now, &random)] : []
                let ahead = random.chance(5) ? [event(from: now, to: now + Self.day, &random)] : []
                try file.add(young + late + ahead)
            }
            now += random.pick([0, 0, 1000, 60_000, 300_000])
            let request = try QueryRequest.parse(pairs(random.pick(questions)))
            _ = try file.result(request, now: now)
        }
        let (kept, computed) = (
            file.buckets.counters.kept.count, file.buckets.counters.computed.count
        )
        #expect(kept > computed * 4, "\(kept) kept, \(computed) computed")
    }

    @Test func `a bucket that changed is computed alone`() throws {
        let file = try EventFile(
            (0..<24).map { TestEvent(time: EventFile.now - $0 * 3_600_000 - 1, data: "{}") })
        let counters = file.buckets.counters
        let question = "metric=count&interval=1h&from=-24h"
        _ = try file.result(question)
        let first = counters.computed.count
        #expect(first == 24)
        _ = try file.result(question)
        _ = try file.result(question + "&order=-count&limit=3&format=csv")
        #expect(counters.computed.count == first)
        try file.add([TestEvent(time: EventFile.now - 5 * 3_600_000 - 7, data: "{}")])
        _ = try file.result(question)
        #expect(counters.computed.count == first + 1)
        // Another type's events leave this question's buckets as they are.
        let typed = question + "&event=page.view"
        _ = try file.result(typed)
        let before = counters.computed.count
        try file.add([TestEvent(time: EventFile.now - 1, type: "other", data: "{}")])
        _ = try file.result(typed)
        #expect(counters.computed.count == before)
    }

    @Test func `what was purged since a question came is not stored by it`() throws {
        let file = try EventFile(
            (0..<24).map { TestEvent(time: EventFile.now - $0 * 3_600_000 - 1, data: "{}") })
        let memory = MemoryTier(.bytes(8 << 20))
        let plan = try QueryPlan(
            QueryRequest.parse(pairs("metric=count&interval=1h&from=-24h")), now: EventFile.now)
        let early = BucketReuse(memory, BucketCounters())
        memory.purgeAll()
        func ask(_ reuse: BucketReuse) throws {
            _ = try QueryBackend.scan.run(plan, on: file.reader, reuse: reuse, deadline: .never)
        }
        try ask(early)
        #expect(memory.counts.entries == 0)
        try ask(BucketReuse(memory, BucketCounters()))
        #expect(memory.counts.entries == 24)
    }

    @Test func `what retention took is in no bucket, and what comes again is`() throws {
        let directory = try TemporaryDirectory()
        let store = try EventStore(
            path: directory.file("store.db"), now: EventFile.now, log: .silent)
        defer { store.close(deadline: .after(.seconds(10))) }
        let reuse = BucketReuse(MemoryTier(.bytes(8 << 20)), BucketCounters())
        let plan = try QueryPlan(
            QueryRequest.parse(pairs("metric=count,sum:v&interval=1h&from=-48h")),
            now: EventFile.now)
        func ask(_ reuse: BucketReuse?) throws -> String {
            try store.readers.withReader(
                until: .after(.seconds(60)), mapping: { $0 as any Error }
            ) { connection throws(any Error) in
                try QueryBackend.scan.run(plan, on: connection, reuse: reuse, deadline: .never)
                    .body.text
            }
        }
        func write(_ hours: Range<Int>, value: Int) throws {
            let (type, source, data) = (Bytes("t"), Bytes("/s"), Bytes("{\"v\":\(value)}"))
            // The inserter borrows them until it flushes.
            let ids = hours.map { Bytes("id\($0)") }
            defer { withExtendedLifetime((type, source, data, ids)) {} }
            try store.write(position: nil) { (inserter) throws(StorageError) in
                for (hour, id) in zip(hours, ids) {
                    try inserter.add(
                        EventRow(
                            identity: .client(id.span),
                            time: EventFile.now - Int64(hour) * 3_600_000 - 1, type: type.span,
                            source: source.span, subject: nil, data: data.span, extensions: nil))
                }
                _ = try inserter.flush()
            }
        }
        try write(0..<40, value: 1)
        let before = try ask(reuse)
        #expect(try before == ask(nil))
        while try !store.retain(after: EventFile.now - 20 * 3_600_000).isDone {}
        let retained = try ask(reuse)
        #expect(try retained == ask(nil) && retained != before)
        // The same identities with other data: counts and set hashes alone would say that nothing
        // has changed.
        try write(25..<35, value: 2)
        let again = try ask(reuse)
        #expect(try again == ask(nil) && again != retained)
    }
}

extension [String] {
    fileprivate func appending(_ others: [String]) -> String {
        (self + others.filter { !contains($0) }).joined(separator: ",")
    }
}
