import Primitives
import SQLite
import TestSupport
import Testing

@testable import Storage

/// Rows that one statement inserts: they must be what single rows would have been.
@Suite(.blocking) struct WritingTogetherTests {
    @Test func `stores what single rows would, however many there are and come again`() throws {
        var random = SeededGenerator.printingSeed("stores what single rows would")
        let folders = (try TemporaryDirectory(), try TemporaryDirectory())
        let (single, together) = (try openStore(folders.0), try openStore(folders.1))
        for count in [1, 31, 32, 33, 64, 200, 1000] {
            let events = (0..<count).map { _ in anyEvent(&random) }
            let expected = try single.write(events)
            let seen = try together.writeTogether(events)
            #expect(seen.result == expected)
            #expect(seen.rejected.isEmpty)
        }
        let all = try rows(single)
        #expect(all.count > 500)
        #expect(try rows(together) == all)
        #expect(together.status.rows == Int64(all.count))
        for type in ["a", "b", "c"] {
            #expect(try together.generation([type]) == single.generation([type]))
        }
    }

    @Test func `an event given back under its id is the same, also in one batch`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        try store.write([TestEvent(key: 1)])
        let id = try #require(try store.ids().first)
        let other = try TemporaryDirectory()
        let together = try openStore(other)
        let events = [
            TestEvent(key: 1), TestEvent(id: id), TestEvent(id: id, source: "/other"),
            TestEvent(key: 1),
        ]
        #expect(try together.writeTogether(events).result == .init(inserted: 2, duplicates: 2))
    }

    @Test func `duplicates among new rows leave no gap in seq`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        let first = (0..<32).map { TestEvent(id: "\($0 / 2)") }
        #expect(try store.writeTogether(first).result == .init(inserted: 16, duplicates: 16))
        #expect(try store.writeTogether(first).result == .init(inserted: 0, duplicates: 32))
        let more = (0..<400).map { TestEvent(id: $0 % 40 == 0 ? "0" : "more \($0)") }
        #expect(try store.writeTogether(more).result == .init(inserted: 390, duplicates: 10))
        #expect(store.status.lastSeq == 406)
        #expect(try store.integer("SELECT count(*) FROM event_rows") == 406)
        #expect(try store.integer("SELECT max(seq) FROM event_rows") == 406)
    }

    @Test func `one row that cannot be stored keeps none of its neighbours out`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        // What no check of ours foresees: SQLite refuses it.
        let connection = try Connection(path: folder.database, role: .writer)
        try connection.execute(
            """
            CREATE TRIGGER poison BEFORE INSERT ON event_rows WHEN new.subject LIKE 'poison%'
            BEGIN SELECT raise(ABORT, 'refused by the test'); END
            """)
        var events = (0..<100).map { TestEvent(id: "\($0)", subject: "fine") }
        for index in [0, 40, 41, 99] { events[index].subject = "poison \(index)" }
        events[50].id = events[49].id
        let seen = try store.writeTogether(events, position: 7)
        #expect(seen.result == .init(inserted: 95, duplicates: 1))
        #expect(seen.rejected == ["poison 0", "poison 40", "poison 41", "poison 99"])
        #expect(try store.integer("SELECT count(*) FROM event_rows") == 95)
        #expect(try store.generation() == 95)
        #expect(store.position == 7)
    }

    @Test func `takes nothing of a batch that fails after it`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        let rows = (0..<50).map { HeldRow(TestEvent(id: "\($0)")) }
        #expect(throws: StorageError.self) {
            try store.write(position: 2) { (inserter) throws(StorageError) in
                for row in rows { try inserter.add(row.row) }
                throw StorageError(.misuse, "the test stops here")
            }
        }
        #expect(try store.integer("SELECT count(*) FROM event_rows") == 0)
        #expect(try store.generation() == 0)
        // What was still waiting when it failed is not in the next transaction.
        #expect(try store.writeTogether([TestEvent(id: "next")]).result.inserted == 1)
        #expect(try store.ids() == ["next"])
    }

    /// Few enough different ones that many come again, in a batch and later.
    private func anyEvent(_ random: inout SeededGenerator) -> TestEvent {
        let type = ["a", "b", "c"].randomElement(using: &random) ?? ""
        let time = start + Int64.random(in: 0..<200_000, using: &random)
        if Bool.random(using: &random) {
            let id = "\(Int.random(in: 0..<600, using: &random))"
            return TestEvent(
                id: id, type: type, source: Bool.random(using: &random) ? "/a" : "/b", time: time,
                extensions: Bool.random(using: &random) ? #"{"x":1}"# : nil)
        }
        let key = UInt64.random(in: 0..<600, using: &random)
        return TestEvent(
            key: key, type: type, subject: "s\(key)", time: start + Int64(key) * 100, data: nil)
    }

    /// All rows in the order of their seq.
    private func rows(_ store: EventStore) throws -> [String] {
        try store.readers.withReader(until: soon) { (connection) throws(SQLiteError) in
            let statement = try connection.cached(
                "SELECT seq, id, type, source, subject, time, data, extensions FROM events ORDER BY 1"
            )
            var rows: [String] = []
            while try statement.step() {
                rows.append((0..<8).map { "\(statement.value($0))" }.joined(separator: "|"))
            }
            return rows
        }
    }
}
