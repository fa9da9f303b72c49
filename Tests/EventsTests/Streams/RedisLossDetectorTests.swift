import Testing

@testable import EventCoding
@testable import Streams

@Suite struct RedisLossDetectorTests {
    private func look(_ run: String, _ last: UInt64, _ added: Int64?) -> RedisLossDetector.Look {
        var look = RedisLossDetector.Look(partitions: 1)
        look.runID = run
        look.lastIDs = [StreamEntryID(milliseconds: last, number: 0)]
        look.added = [added]
        return look
    }

    @Test func `ids or counts that went back are proof of loss, another process is not`() {
        let before = look("a", 10, 100)
        #expect(RedisLossDetector.verdict(look("a", 10, 100), after: before) == .same)
        #expect(RedisLossDetector.verdict(look("a", 12, 105), after: before) == .same)
        #expect(RedisLossDetector.verdict(look("b", 10, 100), after: before) == .restarted)
        #expect(RedisLossDetector.verdict(look("a", 9, 100), after: before) == .lost)
        #expect(RedisLossDetector.verdict(look("b", 12, 3), after: before) == .lost)
        #expect(RedisLossDetector.verdict(look("a", 12, nil), after: before) == .same)
    }

    @Test func `what Redis acknowledged since the last look counts`() {
        let lossDetector = RedisLossDetector(partitions: 1, checkpoint: ForwarderCheckpoint())
        #expect(!lossDetector.isTrusted)
        lossDetector.accept(look("a", 10, 100))
        lossDetector.acknowledged([StreamEntryID(milliseconds: 20, number: 0)], counts: [5])
        let current = lossDetector.current
        #expect(RedisLossDetector.verdict(look("a", 20, 105), after: current) == .same)
        #expect(RedisLossDetector.verdict(look("a", 19, 105), after: current) == .lost)
        #expect(RedisLossDetector.verdict(look("a", 20, 104), after: current) == .lost)
    }

    @Test func `a mark that is older or gone is proof of loss, whatever others have added`() {
        let lossDetector = RedisLossDetector(partitions: 1, checkpoint: ForwarderCheckpoint())
        lossDetector.accept(look("a", 10, 100))
        lossDetector.marked(50, isNew: true)
        lossDetector.marked(60, isNew: false)
        #expect(lossDetector.markToKeep == 60)
        var other = look("b", 99, 999)
        let verdicts: [(UInt64?, RedisLossDetector.Verdict)] = [
            (nil, .restarted), (60, .restarted), (70, .restarted), (59, .lost), (0, .lost),
        ]
        for (mark, verdict) in verdicts {
            other.mark = mark
            #expect(RedisLossDetector.verdict(other, after: lossDetector.current) == verdict)
        }
        // A later mark whose reply was lost may be followed by a lower one.
        other.mark = 70
        lossDetector.accept(other)
        #expect(lossDetector.markToKeep == 60 && !lossDetector.isMarkLost)
        // There was one, and now there is none.
        lossDetector.marked(80, isNew: true)
        #expect(lossDetector.isMarkLost && lossDetector.markToKeep == .max)
        lossDetector.forgetMark()
        lossDetector.marked(10, isNew: true)
        #expect(!lossDetector.isMarkLost && lossDetector.markToKeep == 10)
    }

    @Test func `what an earlier run noted is known at the start`() {
        var checkpoint = ForwarderCheckpoint()
        checkpoint.runID = "a"
        checkpoint.ends = [StreamEntryID(milliseconds: 7, number: 0)]
        let lossDetector = RedisLossDetector(partitions: 1, checkpoint: checkpoint)
        #expect(RedisLossDetector.verdict(look("b", 0, 0), after: lossDetector.current) == .lost)
        #expect(
            RedisLossDetector.verdict(look("b", 7, 1), after: lossDetector.current) == .restarted)
    }
}
