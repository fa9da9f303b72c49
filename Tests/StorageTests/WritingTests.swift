import Glibc
import Primitives
import SQLite
import Synchronization
import TestSupport
import Testing

@testable import Storage

@Suite(.blocking) struct WritingTests {
    @Test func `stores an event once however often it comes`() throws {
        let folder = try TemporaryDirectory()
        var store = try openStore(folder)
        let client = TestEvent(id: "a-1")
        let generated = TestEvent(key: 7)
        let first = try store.write([client, generated, client, generated], position: 1)
        #expect(first == .init(inserted: 2, duplicates: 2))
        let second = try store.write([generated, client], position: 2)
        #expect(second == .init(inserted: 0, duplicates: 2))
        store.close(deadline: soon)
        store = try openStore(folder)
        let third = try store.write([client, generated], position: 3)
        #expect(third == .init(inserted: 0, duplicates: 2))
        #expect(store.status.rows == 2)
        #expect(store.position == 3)
        #expect(try store.generation() == 2)
    }

    @Test func `an event that comes back under the id it was given here is the same`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        try store.write([TestEvent(key: 7)], position: 1)
        let id = try #require(try store.ids().first)
        let result = try store.write([
            TestEvent(id: id), TestEvent(id: id, source: "/other"), TestEvent(id: id),
        ])
        #expect(result == .init(inserted: 1, duplicates: 2))
        // A client's own UUID of the same kind is compared as any id.
        let own = "01890a5d-ac96-774b-bcce-b302099a8057"
        #expect(try store.write([TestEvent(id: own), TestEvent(id: own)]).inserted == 1)
    }

    @Test func `tells events with the same id from different sources apart`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        let result = try store.write([
            TestEvent(id: "1", source: "/a"), TestEvent(id: "1", source: "/b"),
            TestEvent(id: "/b1", source: ""), TestEvent(id: "c\u{0}d", source: "e"),
            TestEvent(id: "d", source: "e\u{0}c"), TestEvent(id: "", source: "/a"),
        ])
        #expect(result == .init(inserted: 6, duplicates: 0))
    }

    @Test func `takes nothing of a batch that fails`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        try store.write([TestEvent(id: "kept")], position: 1)
        #expect(throws: StorageError.self) {
            try store.write(position: 2) { (inserter) throws(StorageError) in
                try inserter.insert(TestEvent(id: "lost", type: "never.seen", source: "/new"))
                throw StorageError(.misuse, "the test stops here")
            }
        }
        #expect(store.position == 1)
        #expect(store.status.lastSeq == 1)
        #expect(try store.ids() == ["kept"])
        #expect(try store.integer("SELECT count(*) FROM event_types") == 1)
        #expect(try store.generation() == 1)
        // The numbers of the names that were rolled back must not be used again from memory.
        try store.write([TestEvent(id: "next", type: "never.seen", source: "/new")], position: 2)
        let page = try store.events(
            EventFilter(types: ["never.seen"]), limit: 10, deadline: soon)
        #expect(page.events.map(\.source) == ["/new"])
    }

    @Test func `goes on after a row that can never be stored`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        let poison = [
            TestEvent(id: "no type", type: ""),
            TestEvent(id: "long", type: .init(repeating: "x", count: 256)),
            TestEvent(id: "far", time: .max),
        ]
        let result = try store.write(position: 9) { (inserter) throws(StorageError) in
            try inserter.insert(TestEvent(id: "1"))
            for event in poison {
                do throws(StorageError) {
                    try inserter.insert(event)
                } catch {
                    guard error.code == .rejected else { throw error }
                    inserter.quarantine(
                        QuarantineEntry(
                            received: start, code: "rejected", detail: error.message,
                            contentType: "application/json", raw: Bytes("{}"), preview: "{}"))
                }
            }
            try inserter.insert(TestEvent(id: "2"))
        }
        #expect(result == .init(inserted: 2, duplicates: 0))
        #expect(store.position == 9)
        let refused = try store.quarantined(limit: 10, deadline: soon)
        #expect(refused.count == 3)
        #expect(refused.first?.detail == "time is outside the years 0000 to 9999")
    }

    @Test func `says of each commit how far it has come`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        let seen = Locked<[CommitPoint]>([])
        let token = store.onCommit { point in seen.withLock { $0.append(point) } }
        let waiter = Atomic<Bool>(false)
        withExtendedLifetime(store) {
            let thread = Thread(name: "waiter") {
                waiter.store(store.waitUntilStored(5, deadline: soon), ordering: .releasing)
            }
            _ = try? store.write([TestEvent(id: "1")], position: 4)
            _ = try? store.write([TestEvent(id: "2"), TestEvent(id: "3")], position: 5)
            thread.join()
        }
        store.removeObserver(token)
        try store.write([TestEvent(id: "4")], position: 6)
        let hasWaited = waiter.load(ordering: .acquiring)
        #expect(hasWaited)
        #expect(
            seen.withLock { $0 } == [
                CommitPoint(position: 4, lastSeq: 1), CommitPoint(position: 5, lastSeq: 3),
            ])
        #expect(!store.waitUntilStored(7, deadline: .after(.milliseconds(1))))
    }

    @Test func `has rows and position from the same moment after a crash at any byte`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        for batch in 1...20 {
            try store.write(
                (0..<batch).map { TestEvent(id: "\(batch)-\($0)") }, position: UInt64(batch))
        }
        let database = try folder.read("store.db")
        let log = try folder.read("store.db-wal")
        #expect(log.count > 100_000)
        var positions: Set<UInt64> = []
        for cut in stride(from: 0, through: log.count, by: 9_973) + [log.count] {
            let copy = try TemporaryDirectory()
            try copy.write("store.db", database)
            try copy.write("store.db-wal", Array(log[..<cut]))
            let reopened = try openStore(copy)
            let position = reopened.position
            positions.insert(position)
            // Batch n has n events.
            #expect(reopened.status.rows == Int64(position * (position + 1) / 2))
            #expect(try reopened.integer("SELECT count(*) FROM event_rows") == reopened.status.rows)
            #expect(try reopened.generation() == reopened.status.rows)
            // What a crash took away is written again, and only that is new.
            let again = try reopened.write(
                (1...20).flatMap { batch in (0..<batch).map { TestEvent(id: "\(batch)-\($0)") } })
            #expect(again.inserted == 210 - Int(position * (position + 1) / 2))
            reopened.close(deadline: soon)
        }
        #expect(positions.count > 10)
        #expect(positions.contains(0) && positions.contains(20))
    }

    @Test func `keeps more names apart than it remembers`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        let events = (0..<12_000).map { TestEvent(key: UInt64($0), source: "/source/\($0)") }
        try store.write(events)
        try store.write([TestEvent(key: 20_000, source: "/source/3")])
        #expect(try store.integer("SELECT count(*) FROM event_sources") == 12_000)
        #expect(
            try store.integer(
                """
                SELECT count(*) FROM event_rows r JOIN event_sources s ON s.id = r.source_id
                WHERE s.name = '/source/' || ((r.seq - 1) % 12000) OR r.seq = 12001
                """) == 12_001)
    }

    @Test func `never gives a seq twice`() throws {
        let folder = try TemporaryDirectory()
        var store = try openStore(folder)
        try store.write((1...5).map { TestEvent(id: "\($0)") })
        while try !store.retain(after: start + 60_000).isDone {}
        #expect(store.status.rows == 0)
        store.close(deadline: soon)
        store = try openStore(folder)
        try store.write([TestEvent(id: "6")])
        #expect(store.status.lastSeq == 6)
    }
}
