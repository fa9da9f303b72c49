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
        #expect(continuity.isSuspect)
        continuity.accept(look("a", 10, 100))
        continuity.acknowledged([StreamEntryID(milliseconds: 20, number: 0)], counts: [5])
        let current = continuity.current
        #expect(StreamContinuity.verdict(look("a", 20, 105), after: current) == .same)
        #expect(StreamContinuity.verdict(look("a", 19, 105), after: current) == .lost)
        #expect(StreamContinuity.verdict(look("a", 20, 104), after: current) == .lost)
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
