import EventCoding
import Journal
import Primitives
import Telemetry
import TestSupport
import Testing

@testable import Service
@testable import Storage

@Suite(.blocking) struct QuarantineReplayTests {
    @Test func `what an erasure has still to delete is not tried again`() throws {
        let directory = try TemporaryDirectory()
        let store = try EventStore(path: directory.file("store.db"), now: 1, log: .silent)
        let journal = try Journal(
            options: JournalOptions(directory: directory.file("journal")), log: .silent)
        defer {
            journal.close()
            store.close(deadline: .after(.seconds(1)))
        }
        for who in ["ann", "bob"] {
            store.quarantine.add(
                QuarantineEntry(
                    received: 1, code: "event_too_large", detail: "",
                    contentType: "application/json",
                    raw: Bytes(#"{"type":"t","subject":"\#(who)"}"#), preview: "{}"))
        }
        try store.maintain(now: .now(), isIdle: true)
        // It has begun, and no row has been looked at.
        store.erasures.add(
            Erasure(
                id: "e1", requested: 1, node: "n", conditions: "subject",
                matcher: ErasureMatcher(EventFilter(subjects: ["ann"]))))
        let replay = QuarantineReplay(
            journal: journal, store: store, limits: EventLimits(), masking: EventMasking())
        let tally = try replay.replay(until: .after(.seconds(10)))
        #expect(tally.replayed == 1 && tally.rejected == 0 && tally.isComplete)
        let reader = JournalReader(journal, from: 1)
        defer { withExtendedLifetime(reader) {} }
        let text = try reader.next(maxRecords: 9)
            .map { String(decoding: $0.payload, as: UTF8.self) }.joined()
        #expect(text.contains("bob") && !text.contains("ann"))
    }
}
