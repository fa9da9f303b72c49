import Glibc
import Primitives
import SQLite
import Storage
import TestSupport
import Testing

@testable import Ingest
@testable import Journal

/// The writer with a store that refuses some events, as a mistake in it would.
@Suite(.blocking) struct EventWriterTests {
    private let directory: TemporaryDirectory
    private let store: EventStore
    private let journal: Journal

    init() throws {
        directory = try TemporaryDirectory()
        store = try EventStore(path: directory.file("store.db"), now: 1, log: .silent)
        journal = try Journal(
            options: JournalOptions(directory: directory.file("journal")), log: .silent)
    }

    /// Makes the store fail at events of one type, or of all.
    private func breakStore(at type: String?) throws {
        let condition = type.map {
            "WHEN (SELECT name FROM event_types WHERE id = NEW.type_id) = '\($0)'"
        }
        try Connection(path: directory.file("store.db"), role: .writer).execute(
            """
            CREATE TRIGGER broken BEFORE INSERT ON event_rows \(condition ?? "")
            BEGIN SELECT abs(NEW.time * 0 - 9223372036854775807 - 1); END
            """)
    }

    private func commit(_ types: [[String]]) {
        for (record, types) in types.enumerated() {
            journal.commit(events: types.enumerated().map { ("\(record)-\($0)", $1) })
        }
    }

    private func write(_ check: (EventWriter) throws -> Void) throws {
        let writer = EventWriter(
            journal: journal, store: store, retention: nil, journalMaxBytes: 1 << 30, log: .silent)
        writer.start()
        defer {
            writer.stop(until: .after(.seconds(1)))
            journal.close()
        }
        try check(writer)
    }

    @Test func `an event at which the store fails each time is set aside, and the rest is stored`()
        throws
    {
        try breakStore(at: "bad")
        commit([["good", "good"], ["good", "bad", "good"], ["good"]])
        try write { writer in
            #expect(eventually(within: .seconds(30)) { store.position == 3 })
            #expect(store.status.rows == 5, "\(writer.failure ?? "")")
            let kept = try store.quarantined(limit: 9, deadline: .after(.seconds(10)))
            #expect(kept.map(\.code) == ["given_up"])
        }
    }

    @Test func `a store that fails at every event takes none, and none is set aside`() throws {
        try breakStore(at: nil)
        commit([["one"]])
        try write { writer in
            #expect(eventually { writer.failure != nil })
            // Past the tries after which events are tried one by one.
            sleep(until: .after(.seconds(6)))
            #expect(store.position == 0)
            let kept = try store.quarantined(limit: 9, deadline: .after(.seconds(10)))
            #expect(kept.isEmpty)
        }
    }

    /// At nice 19, beside busy threads, a checkpoint takes many seconds, in which nothing is stored.
    @Test func `long chores run on the thread of normal priority`() throws {
        let nice: @Sendable () -> Int32 = { getpriority(Int32(PRIO_PROCESS.rawValue), 0) }
        let normal = nice()
        let (written, kept, durable) = (
            Monitor<Int32?>(nil), Monitor<Int32?>(nil), Monitor<Int32?>(nil)
        )
        _ = store.onCommit { _ in written.change { $0 = $0 ?? nice() } }
        store.quarantine.onKept { _ in kept.change { $0 = nice() } }
        store.onDurable { durable.change { $0 = $0 ?? nice() } }
        commit([["one"]])
        try write { _ in
            #expect(eventually { written.withLock { $0 } != nil })
            // A checkpoint comes once there is something to move for two seconds.
            #expect(eventually { durable.withLock { $0 } != nil })
            let large = Bytes(String(repeating: "x", count: 4 << 20))
            let entry = QuarantineEntry(
                received: 1, code: "invalid_json", detail: "", contentType: "application/json",
                raw: large, preview: "")
            #expect(store.quarantine.add(entry))
            #expect(eventually { kept.withLock { $0 } != nil })
        }
        #expect(written.withLock { $0 } == 19)
        #expect(durable.withLock { $0 } == normal && kept.withLock { $0 } == normal)
    }
}
