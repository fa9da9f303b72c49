import Testing

@testable import Events

@Suite struct StreamContinuityTests {
    private func look(_ run: String, _ last: UInt64, _ added: Int64?) -> StreamContinuity.Look {
        var look = StreamContinuity.Look(partitions: 1)
        look.runID = run
        look.lastIDs = [StreamEntryID(milliseconds: last, number: 0)]
        look.added = [added]
        return look
    }

    @Test func `ids or counts that went back are proof of loss, another process is not`() {
        let before = look("a", 10, 100)
        #expect(StreamContinuity.verdict(look("a", 10, 100), after: before) == .same)
        #expect(StreamContinuity.verdict(look("a", 12, 105), after: before) == .same)
        #expect(StreamContinuity.verdict(look("b", 10, 100), after: before) == .restarted)
        #expect(StreamContinuity.verdict(look("a", 9, 100), after: before) == .lost)
        #expect(StreamContinuity.verdict(look("b", 12, 3), after: before) == .lost)
        #expect(StreamContinuity.verdict(look("a", 12, nil), after: before) == .same)
    }

    @Test func `what Redis acknowledged since the last look counts`() {
        let continuity = StreamContinuity(partitions: 1, note: ForwarderNote())
        #expect(!continuity.isTrusted)
        continuity.accept(look("a", 10, 100))
        continuity.acknowledged([StreamEntryID(milliseconds: 20, number: 0)], counts: [5])
        let current = continuity.current
        #expect(StreamContinuity.verdict(look("a", 20, 105), after: current) == .same)
        #expect(StreamContinuity.verdict(look("a", 19, 105), after: current) == .lost)
        #expect(StreamContinuity.verdict(look("a", 20, 104), after: current) == .lost)
    }

    @Test func `a mark that is older or gone is proof of loss, whatever others have added`() {
        let continuity = StreamContinuity(partitions: 1, note: ForwarderNote())
        continuity.accept(look("a", 10, 100))
        #expect(continuity.marked(50, isNew: true))
        #expect(continuity.marked(60, isNew: false))
        var other = look("b", 99, 999)
        let verdicts: [(UInt64?, StreamContinuity.Verdict)] = [
            (nil, .restarted), (60, .restarted), (70, .restarted), (59, .lost), (0, .lost),
        ]
        for (mark, verdict) in verdicts {
            other.mark = mark
            #expect(StreamContinuity.verdict(other, after: continuity.current) == verdict)
        }
        // A later mark whose reply was lost may be followed by a lower one.
        other.mark = 70
        continuity.accept(other)
        #expect(continuity.mark == 60)
        // There was one, and now there is none.
        #expect(!continuity.marked(80, isNew: true))
        continuity.forgetMark()
        #expect(continuity.marked(10, isNew: true) && continuity.mark == 10)
    }

    @Test func `what an earlier run noted is known at the start`() {
        var note = ForwarderNote()
        note.runID = "a"
        note.ends = [StreamEntryID(milliseconds: 7, number: 0)]
        let continuity = StreamContinuity(partitions: 1, note: note)
        #expect(StreamContinuity.verdict(look("b", 0, 0), after: continuity.current) == .lost)
        #expect(StreamContinuity.verdict(look("b", 7, 1), after: continuity.current) == .restarted)
    }
}
