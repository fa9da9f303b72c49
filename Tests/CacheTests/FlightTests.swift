@testable import Cache
import Primitives
import TestSupport
import Testing

/// One computation for all who ask, whatever becomes of the first.
@Suite(.blocking) struct FlightTests {
    @Test func `a thousand callers of a cold key have it computed once`() throws {
        let (runs, texts, collapsed) = try {
            let bench = CacheBench()
            defer { bench.stop() }
            let calls = (0..<1000).map { _ in bench.ask("cold") }
            bench.source.release()
            let texts = try calls.map { try $0.text() }
            return (bench.source.runs, texts, bench.cache.counters.collapsed.count)
        }()
        #expect(runs == 1)
        #expect(Set(texts) == ["cold 1"])
        #expect(collapsed == 999)
    }

    @Test func `an answer that takes longer to compress than there is time is kept as it is`() {
        var content = CacheContent(body: Bytes(String(repeating: "a", count: 4 << 20)))
        content.compress(until: .after(.zero))
        #expect(content.gzipBody == nil && content.body?.count == 4 << 20)
        content.compress(until: .never)
        #expect(content.gzipBody.map { $0.count < 1 << 20 } == true)
    }

    @Test func `the second question is a hit`() throws {
        let sources = try {
            let bench = CacheBench()
            defer { bench.stop() }
            bench.source.release()
            let first = try bench.ask("a").reply()
            let second = try bench.ask("a").reply()
            return [(first.source, first.state), (second.source, second.state)]
        }()
        #expect(sources[0].0 == .computed && sources[0].1 == .miss)
        #expect(sources[1].0 == .memory && sources[1].1 == .hit)
    }

    @Test func `a caller leaves by its own deadline, and the others get the answer`() throws {
        let (left, stayed, runs) = try {
            let bench = CacheBench()
            defer { bench.stop() }
            let first = bench.ask("a", within: .milliseconds(50))
            let second = bench.ask("a")
            let left = first.failure()
            bench.source.release()
            return (left, try second.text(), bench.source.runs)
        }()
        #expect(left == .timeout)
        #expect(stayed == "a 1" && runs == 1)
    }

    @Test func `when the first caller's computing fails, the next one's is tried`() throws {
        let (first, second, runs) = try {
            let bench = CacheBench()
            defer { bench.stop() }
            bench.source.failures = [.transient]
            let first = bench.ask("a")
            let second = bench.ask("a")
            bench.source.release()
            return (first.failure(), try second.text(), bench.source.runs)
        }()
        #expect(first == .transient)
        #expect(second == "a 2" && runs == 2)
    }

    @Test func `where nothing helps, a thousand callers cause a handful of runs`() throws {
        let (failures, runs) = {
            let bench = CacheBench()
            defer { bench.stop() }
            bench.source.failures = Array(repeating: .transient, count: 2000)
            let calls = (0..<1000).map { _ in bench.ask("a") }
            bench.source.release()
            return (calls.map { $0.failure() }, bench.source.runs)
        }()
        #expect(failures.allSatisfy { $0 == .transient })
        #expect(runs <= FlightWaiter.attemptLimit + 1)
    }

    @Test func `an error of the question is everybody's, and is remembered for a moment`()
        async throws
    {
        let (failures, again, runs, remembered) = {
            let bench = CacheBench()
            defer { bench.stop() }
            bench.source.failures = [.deterministic]
            let calls = (0..<10).map { _ in bench.ask("a") }
            bench.source.release()
            let failures = calls.map { $0.failure() }
            return (
                failures, bench.ask("a").failure(), bench.source.runs,
                bench.cache.counters.rememberedFailures.count
            )
        }()
        #expect(failures.allSatisfy { $0 == .deterministic })
        #expect(again == .deterministic && runs == 1 && remembered == 1)
    }

    @Test func `a flight that ignores its deadline is replaced`() throws {
        let (first, second, third, isCancelled) = try {
            let bench = CacheBench { $0.flightTimeout = .milliseconds(100) }
            defer { bench.stop() }
            bench.source.hangs = 1
            let first = bench.ask("a")
            let second = bench.ask("a")
            bench.source.release()
            let texts = (first.failure(), try second.text())
            try bench.wait { bench.source.sawCancellation }
            return (texts.0, texts.1, try bench.ask("a").text(), bench.source.sawCancellation)
        }()
        #expect(first == .timeout)
        #expect(second == "a 2" && third == "a 2")
        #expect(isCancelled)
    }

    @Test func `an answer that comes after its flight was given up is dropped`() throws {
        let (texts, late) = try {
            let bench = CacheBench { $0.flightTimeout = .milliseconds(100) }
            defer { bench.stop() }
            bench.source.hangs = 1
            let first = bench.ask("a")
            bench.source.release()
            _ = first.failure()
            let second = try bench.ask("a").text()
            bench.source.finishHanging()
            return (second, try bench.ask("a").text())
        }()
        #expect(texts == "a 2" && late == "a 2")
    }

    @Test func `what may not be kept is not waited for in turn`() throws {
        let (runs, refused) = try {
            let bench = CacheBench { $0.leastCost = .seconds(100) }
            defer { bench.stop() }
            bench.source.release()
            _ = try bench.ask("a").text()
            bench.source.hold()
            let calls = (0..<20).map { _ in bench.ask("a") }
            // None waits for another: all are computing at the same time.
            bench.source.waitForHeld(20)
            bench.source.release()
            for call in calls { _ = try call.text() }
            return (bench.source.runs, bench.cache.counters.refused.count)
        }()
        #expect(runs == 21 && refused == 1)
    }

    @Test func `a question after a purge does not get what was read before it`() throws {
        let (before, after, later) = try {
            let bench = CacheBench()
            defer { bench.stop() }
            let first = bench.ask("a")
            bench.source.waitForHeld(1)
            bench.cache.purge(.tag("tag"))
            let second = bench.ask("a")
            bench.source.waitForHeld(2)
            bench.source.release()
            return (try first.text(), try second.text(), try bench.ask("a").text())
        }()
        #expect(before == "a 1" && after == "a 2")
        #expect(later == "a 2")
    }

    @Test func `an entry that is purged while it is verified is only for who found it`() throws {
        let (first, second) = try {
            let bench = CacheBench()
            defer { bench.stop() }
            bench.source.release()
            _ = try bench.ask("a").text()
            bench.source.change()
            var question = CacheQuestion(key: Bytes("a"), deadline: .after(.seconds(60)))
            question.conditions.maxStale = .zero
            question.present = bench.source.present
            let first = CacheCall()
            let held = Locked<HeldComputation?>(nil)
            bench.cache.answer(
                question,
                compute: { _, done in held.withLock { $0 = HeldComputation(done: done) } },
                completion: { first.finish($0) })
            let second = bench.ask("a") { $0.conditions.maxStale = .zero }
            bench.cache.memory.purgeAll()
            held.withLock { $0 }?.done(.unchanged(at: .now(), version: 0))
            return (try first.text(), try second.text())
        }()
        #expect(first == "a 1" && second == "a 2")
    }

    @Test func `a failure that is remembered weighs what it keeps`() {
        let weight = {
            let bench = CacheBench()
            defer { bench.stop() }
            let call = CacheCall()
            bench.cache.answer(
                CacheQuestion(key: Bytes("a"), deadline: .after(.seconds(60))),
                compute: { _, done in
                    done(.failure(CacheFailure(.deterministic, causeBytes: 100_000)))
                }, completion: { call.finish($0) })
            return call.failure() == .deterministic ? bench.cache.memory.counts.weight : 0
        }()
        #expect(weight > 100_000 && weight < 102_000)
    }

    @Test func `only the cache, bypass and refresh do what they say`() throws {
        let (notCached, bypassed, stored, refreshed, hit) = try {
            let bench = CacheBench()
            defer { bench.stop() }
            bench.source.release()
            let notCached = bench.ask("a", mode: .only).failure()
            let bypassed = try bench.ask("a", mode: .bypass).text()
            let stored = bench.ask("a", mode: .only).failure()
            let refreshed = try bench.ask("a", mode: .refresh).reply()
            return (
                notCached, bypassed, stored, refreshed.state,
                try bench.ask("a", mode: .only).text()
            )
        }()
        #expect(notCached == .notCached && bypassed == "a 1" && stored == .notCached)
        #expect(refreshed == .forced && hit == "a 2")
    }

    @Test func `a caller that waits while the cache closes is told so`() throws {
        let failure = {
            let bench = CacheBench()
            let call = bench.ask("a")
            // Before what is computed is let go on, or it may be there first.
            bench.cache.stop()
            let failure = call.failure()
            bench.stop()
            return failure
        }()
        #expect(failure == .closed)
    }
}

/// A computation that ends when the test says so.
private struct HeldComputation: Sendable {
    let done: @Sendable (CacheComputation) -> Void
}
