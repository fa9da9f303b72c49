@testable import Cache
import Primitives
import TestSupport
import Testing

/// How long an answer counts as one.
@Suite(.blocking) struct FreshnessTests {
    let start = MonotonicTime(nanoseconds: 1 << 50)

    /// An entry that was computed at `start`.
    private func entry(
        _ stamp: GenerationStamp?, version: UInt64 = 0, lifetime: CacheLifetime = .hundredSeconds
    ) -> CacheEntry {
        var content = CacheContent(body: Bytes("1"))
        content.stamp = stamp
        content.version = version
        return CacheEntry(
            key: UnsafeRawBufferPointer(start: nil, count: 0), hash: Key128(high: 0, low: 0),
            content, computedAt: start, lifetime: lifetime)
    }

    private func judge(
        after time: Duration, lifetime: CacheLifetime = .hundredSeconds, stamp: Int64? = nil,
        present: Int64? = nil, _ change: (inout CacheConditions) -> Void = { _ in }
    ) -> Freshness {
        var conditions = CacheConditions()
        change(&conditions)
        let entry = entry(
            stamp.map { GenerationStamp(count: $0, setHash: 9) }, lifetime: lifetime)
        let now = present.map { count in
            PresentStamp { GenerationStamp(count: count, setHash: 9) }
        }
        return Freshness.judge(entry, conditions, now, at: start + time)
    }

    @Test func `an answer over data that has not changed stays fresh`() {
        #expect(judge(after: .seconds(80), stamp: 3, present: 3) == .fresh)
        #expect(judge(after: .seconds(80), stamp: 3, present: 3) { $0.maxStale = .zero } == .fresh)
        #expect(judge(after: .seconds(95), stamp: 3, present: 3) == .ending)
        #expect(judge(after: .seconds(101), stamp: 3, present: 3) == .unusable)
    }

    @Test func `changed data ends an answer after a second, or at once if asked so`() {
        #expect(judge(after: .milliseconds(900), stamp: 3, present: 4) == .stale)
        #expect(judge(after: .milliseconds(1100), stamp: 3, present: 4) == .unusable)
        #expect(
            judge(after: .milliseconds(1), stamp: 3, present: 4) { $0.maxStale = .zero }
                == .unusable)
        #expect(
            judge(after: .seconds(50), stamp: 3, present: 4) { $0.maxStale = .seconds(60) }
                == .stale)
    }

    @Test func `a stale period after a change counts from when the answer was last right`() {
        let lifetime = CacheLifetime(fresh: .seconds(3600), staleWhileRevalidate: .seconds(300))
        // The lifetime's own is for after its end.
        #expect(judge(after: .seconds(2), lifetime: lifetime, stamp: 3, present: 4) == .unusable)
        for (seconds, freshness) in [(290, .stale), (310, .unusable)] as [(Int, Freshness)] {
            let found = judge(after: .seconds(seconds), lifetime: lifetime, stamp: 3, present: 4) {
                $0.staleAfterChange = .seconds(300)
            }
            #expect(found == freshness)
        }
        let strict = judge(after: .seconds(2), lifetime: lifetime, stamp: 3, present: 4) {
            $0.staleAfterChange = .seconds(300)
            $0.maxStale = .zero
        }
        #expect(strict == .unusable)
    }

    @Test func `staleness counts from when the answer was last seen to be right`() {
        let entry = entry(GenerationStamp(count: 3, setHash: 9))
        let conditions = CacheConditions()
        let same = PresentStamp { GenerationStamp(count: 3, setHash: 9) }
        let other = PresentStamp { GenerationStamp(count: 4, setHash: 8) }
        #expect(Freshness.judge(entry, conditions, same, at: start + .seconds(50)) == .fresh)
        #expect(Freshness.judge(entry, conditions, other, at: start + .seconds(50.9)) == .stale)
        #expect(Freshness.judge(entry, conditions, other, at: start + .seconds(51.1)) == .unusable)
    }

    @Test func `equal counts with other sets are not the same data`() {
        let entry = entry(GenerationStamp(count: 3, setHash: 1))
        var conditions = CacheConditions()
        conditions.maxStale = .zero
        let other = PresentStamp { GenerationStamp(count: 3, setHash: 2) }
        #expect(Freshness.judge(entry, conditions, other, at: start) == .unusable)
    }

    @Test func `where the present data is not known, strict questions are computed`() {
        let unknown = PresentStamp { nil }
        let entry = entry(GenerationStamp(count: 3, setHash: 1))
        var conditions = CacheConditions()
        #expect(Freshness.judge(entry, conditions, unknown, at: start + .seconds(0.5)) == .fresh)
        #expect(Freshness.judge(entry, conditions, unknown, at: start + .seconds(2)) == .unusable)
        conditions.maxStale = .zero
        #expect(Freshness.judge(entry, conditions, unknown, at: start) == .unusable)
    }

    @Test func `while the data's version stays, an answer is strictly fresh without a look`() {
        let entry = entry(GenerationStamp(count: 3, setHash: 1), version: 7)
        var strict = CacheConditions()
        strict.maxStale = .zero
        let later = start + .seconds(50)
        #expect(Freshness.judge(entry, strict, nil, version: 7, at: later) == .fresh)
        #expect(Freshness.judge(entry, strict, nil, version: 8, at: later) == .unusable)
        // Last seen to be right at `later`; in the second half of a second somebody looks.
        let usual = CacheConditions()
        #expect(
            Freshness.judge(entry, usual, nil, version: 8, at: later + .milliseconds(300))
                == .fresh)
        #expect(
            Freshness.judge(entry, usual, nil, version: 8, at: later + .milliseconds(700))
                == .ending)
        entry.verify(at: later, version: 8)
        #expect(Freshness.judge(entry, strict, nil, version: 8, at: later) == .fresh)
        #expect(Freshness.judge(entry, strict, nil, version: 9, at: later) == .unusable)
    }

    @Test func `by time: fresh, stale while a new one is computed, stale after an error, gone`() {
        let lifetime = CacheLifetime(
            fresh: .seconds(10), staleWhileRevalidate: .seconds(20), staleIfError: .seconds(60))
        #expect(judge(after: .seconds(5), lifetime: lifetime) == .fresh)
        #expect(judge(after: .seconds(9.5), lifetime: lifetime) == .ending)
        #expect(judge(after: .seconds(15), lifetime: lifetime) == .stale)
        #expect(judge(after: .seconds(31), lifetime: lifetime) == .unusable)
        #expect(judge(after: .seconds(5), lifetime: lifetime) { $0.maxStale = .zero } == .unusable)
    }

    @Test func `a client's own limits are kept`() {
        #expect(judge(after: .seconds(5)) { $0.maxAge = .seconds(4) } == .unusable)
        #expect(judge(after: .seconds(5)) { $0.maxAge = .seconds(6) } == .fresh)
        #expect(judge(after: .seconds(50)) { $0.minFresh = .seconds(40) } == .fresh)
        #expect(judge(after: .seconds(50)) { $0.minFresh = .seconds(60) } == .unusable)
    }

    @Test func `a stale hit has one refresh behind it, and a new answer then`() throws {
        let (stale, runs, text) = try {
            let bench = CacheBench()
            defer { bench.stop() }
            bench.source.release()
            _ = try bench.ask("a").text()
            bench.source.hold()
            bench.source.change()
            let stale = try (0..<20).map { _ in try bench.ask("a").reply().state }
            bench.source.waitForHeld(1)
            bench.source.release()
            try bench.wait { (try? bench.ask("a").text()) == "a 2" }
            return (stale, bench.source.runs, try bench.ask("a").text())
        }()
        #expect(stale.allSatisfy { $0 == .stale })
        #expect(runs == 2 && text == "a 2")
    }

    @Test func `a refresh that hangs does not make stale answers last`() throws {
        let (first, second) = try {
            let bench = CacheBench {
                $0.flightTimeout = .milliseconds(200)
            }
            defer { bench.stop() }
            bench.source.release()
            _ = try bench.ask("a").text()
            bench.source.hangs = 1
            bench.source.change()
            let first = try bench.ask("a").reply().state
            // The bound of a second: from then on callers wait for a new answer.
            try bench.wait { (try? bench.ask("a").reply().state) != .stale }
            return (first, try bench.ask("a").text())
        }()
        #expect(first == .stale)
        #expect(second != "a 1")
    }

    @Test func `an old answer is served where computing fails, if the question allows that`()
        async throws
    {
        let (reply, strict) = try {
            let bench = CacheBench()
            defer { bench.stop() }
            bench.source.lifetime = CacheLifetime(
                fresh: .milliseconds(20), staleIfError: .seconds(60))
            bench.source.isStamped = false
            bench.source.release()
            _ = try bench.ask("a").text()
            sleep(until: .after(.milliseconds(25)))
            bench.source.failures = Array(repeating: .transient, count: 10)
            return (
                try bench.ask("a").reply(),
                bench.ask("a") { $0.conditions.maxStale = .zero }.failure()
            )
        }()
        #expect(reply.isErrorFallback && reply.state == .stale)
        #expect(reply.entry.body?.text == "a 1")
        #expect(strict == .transient)
    }

    @Test func `where computing fails an answer is no staler than the question allows`()
        async throws
    {
        let (bounded, patient, asked) = try {
            let bench = CacheBench()
            defer { bench.stop() }
            bench.source.lifetime = CacheLifetime(
                fresh: .milliseconds(20), staleIfError: .seconds(600))
            bench.source.isStamped = false
            bench.source.release()
            _ = try bench.ask("a").text()
            sleep(until: .after(.milliseconds(60)))
            bench.source.failures = Array(repeating: .transient, count: 20)
            return (
                bench.ask("a") { $0.conditions.maxStale = .milliseconds(50) }.failure(),
                try bench.ask("a") { $0.conditions.maxStale = .seconds(300) }.text(),
                try bench.ask("a") {
                    $0.conditions.maxStale = .milliseconds(50)
                    $0.conditions.staleIfError = .seconds(300)
                }.text()
            )
        }()
        #expect(bounded == .transient)
        #expect(patient == "a 1" && asked == "a 1")
    }

    @Test func `a strict question that joins an older flight is answered from newer data`()
        async throws
    {
        let (first, strict) = try {
            let bench = CacheBench()
            defer { bench.stop() }
            let first = bench.ask("a")
            bench.source.waitForHeld(1)
            bench.source.change()
            let strict = bench.ask("a") { $0.conditions.maxStale = .zero }
            bench.source.release()
            return (try first.text(), try strict.text())
        }()
        #expect(first == "a 1" && strict == "a 2")
    }

    @Test func `hit ratios are those of the last minutes`() {
        let ratios = HitRatios()
        let start = MonotonicTime(nanoseconds: 1 << 50)
        for second in 0..<1200 as Range<Int64> {
            // Ten minutes of misses, then of hits.
            let hits = UInt64(max(second - 600, 0))
            let misses = UInt64(min(second, 600))
            ratios.sample(
                hits: hits, stale: 0, misses: misses, at: start + .seconds(second))
        }
        let now = start + .seconds(1200)
        #expect(ratios.ratio(minutes: 1, at: now) == 1)
        let whole = ratios.ratio(minutes: 60, at: now) ?? 0
        #expect(whole > 0.49 && whole < 0.51)
        #expect(HitRatios().ratio(minutes: 1, at: now) == nil)
    }
}
