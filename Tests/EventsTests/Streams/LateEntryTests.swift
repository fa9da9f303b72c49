import Primitives
import Redis
import TestSupport
import Testing

@testable import EventCoding
@testable import Streams

/// Entries that do not come in time, and all the others.
@Suite(.blocking) struct LateEntryTests {
    @Test func `an entry that never comes keeps nothing else from being stored`() throws {
        let lines = LogLines()
        let harness = try ConsumerHarness(partitions: 2, log: lines.log)
        defer { harness.stop() }
        try harness.makeGroup()
        harness.proxy.set(.cutLarge(30_000))
        try harness.add("large", size: 40_000, to: 0)
        harness.consumer.start()
        #expect(eventually { harness.consumer.failures > 0 })
        for number in 0..<3 {
            try harness.add("a\(number)", to: 0)
            try harness.add("b\(number)", to: 1)
        }
        let small: Set = ["a0", "a1", "a2", "b0", "b1", "b2"]
        #expect(try Set(harness.store { Set($0) == small }) == small)
        // New ones too, for as long as it may last.
        for number in 0..<5 {
            try harness.add("c\(number)", to: number % 2)
            #expect(try harness.store { $0 == ["c\(number)"] } == ["c\(number)"])
        }
        let isTold = { !lines.all("does not arrive", #""tries":6"#).isEmpty }
        #expect(try harness.store(within: .seconds(40)) { _ in isTold() }.isEmpty)
        #expect(isTold())
        let pending = { try? harness.pending(0) }
        #expect(try harness.store { _ in pending() == 1 }.isEmpty)
        #expect(pending() == 1)
        #expect(harness.consumer.lost.count == 0 && harness.consumer.unreadable.count == 0)
    }

    @Test func `an entry that takes longer than all others is waited for and stored`() throws {
        let harness = try ConsumerHarness(partitions: 2)
        defer { harness.stop() }
        try harness.makeGroup()
        // A byte at a time: 12 kB take more than a second, a short answer a moment.
        harness.proxy.set(.trickle(.microseconds(100)))
        try harness.add("slow", size: 12_000, to: 0)
        harness.consumer.start()
        #expect(eventually { harness.consumer.failures > 0 })
        try harness.add("quick", to: 1)
        let ids = try harness.store(within: .seconds(60)) { Set($0) == ["slow", "quick"] }
        #expect(Set(ids) == ["slow", "quick"] && ids.first == "quick")
        _ = try harness.store { _ in (try? harness.pending(0)) == 0 }
        #expect(try harness.pending(0) == 0)
    }

    @Test func `a partition that is refused keeps no other from being recovered`() throws {
        let harness = try ConsumerHarness(partitions: 2)
        defer { harness.stop() }
        try harness.makeGroup()
        for partition in 0..<2 {
            try harness.add("e\(partition)", to: partition)
            try harness.deliver(partition)
        }
        // XRANGE is for the second only, by a selector.
        let key = harness.parts.keys.names[1]
        try harness.command {
            $0.command("ACL", "SETUSER", "default", "-xrange", "(~\(key) +xrange)")
        }
        harness.consumer.start()
        #expect(try harness.store { $0 == ["e1"] } == ["e1"])
    }

    @Test func `what is late waits twice as long, and leaves most of the time to others`() {
        let entry = StreamEntryID(milliseconds: 1, number: 0)
        let other = StreamEntryID(milliseconds: 2, number: 0)
        var late = LateEntries(partitions: 2)
        var now = MonotonicTime(nanoseconds: 1_000_000_000)
        var limit = AnswerLimit(ConsumerRun.answerLimit)
        var limits: [Duration] = []
        for failures in 1...7 {
            limits.append(limit.current)
            #expect(late.failed(entry, of: 1, .timeout, within: limit, at: now) == failures)
            #expect(late.isStuck(failures) == (failures >= 6))
            #expect(late.isWaiting(entry, of: 1, at: now) && !late.isDue(at: now))
            now = now + max(.seconds(failures < 6 ? 1 : 60), limit.current * 4)
            #expect(!late.isWaiting(entry, of: 1, at: now) && late.isDue(at: now))
            limit = late.limit(of: entry, of: 1) ?? AnswerLimit(ConsumerRun.answerLimit)
        }
        #expect(limits == [300, 600, 1200, 2400, 4800, 8000, 8000].map { .milliseconds($0) })
        #expect(!late.contains(entry, of: 0) && !late.isWaiting(other, of: 1, at: now))
        _ = late.failed(
            other, of: 1, .connection, within: AnswerLimit(ConsumerRun.answerLimit), at: now)
        #expect(late.limit(of: other, of: 1) == AnswerLimit(ConsumerRun.answerLimit))
        // None is tried right behind another's failure.
        #expect(late.isWaiting(entry, of: 1, at: now))
        late.keep(only: [entry], of: 1)
        #expect(late.count == 1 && late.contains(entry, of: 1))
        late.arrived(entry, of: 1)
        #expect(late.count == 0 && !late.isDue(at: now + .seconds(999)))
    }

    @Test func `a limit doubles to eight seconds and comes back with quick answers`() {
        var limit = AnswerLimit(ConsumerRun.answerLimit)
        for _ in 0..<9 { limit.timedOut() }
        #expect(limit.current == .seconds(8))
        limit.answered(after: .seconds(3))
        #expect(limit.current == .seconds(8))
        for _ in 0..<9 { limit.answered(after: .milliseconds(1)) }
        #expect(
            limit == AnswerLimit(ConsumerRun.answerLimit) && limit.current == .milliseconds(300))
    }
}
