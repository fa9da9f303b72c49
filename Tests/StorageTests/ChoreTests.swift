import Primitives
import TestSupport
import Testing

@testable import Storage

@Suite struct ChoreTests {
    @Test func `a part's chore runs with the store's own, and one that fails stops no other`()
        throws
    {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        let moments = Locked<[Bool]>([])
        store.add(
            StoreChore("fails") { (_, _) throws(StorageError) in
                throw StorageError(.misuse, "the test fails here")
            })
        store.add(
            StoreChore("counts") { (_, moment) in moments.withLock { $0.append(moment.isIdle) } })
        for isIdle in [true, false] {
            let error = #expect(throws: StorageError.self) {
                try store.maintain(now: at, isIdle: isIdle)
            }
            #expect(error?.message == "the test fails here")
        }
        #expect(moments.withLock { $0 } == [true, false])
    }

    @Test func `an idle writer is told of a chore that somebody waits for`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        let isWanted = Locked(false)
        store.add(
            StoreChore(
                "waits", isUrgent: { isWanted.withLock { $0 } },
                run: { (_, _) in isWanted.withLock { $0 = false } }))
        #expect(!store.hasUrgentChore)
        isWanted.withLock { $0 = true }
        #expect(store.hasUrgentChore)
        try store.maintain(now: at, isIdle: true)
        #expect(!store.hasUrgentChore)
        #expect(store.sinks.settle([], sink: "a", position: 1) != nil)
        #expect(!store.hasUrgentChore)
    }

    @Test func `retention goes on until nothing is older, then looks once a minute`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        store.add(.retention(RetentionPolicy(standard: .seconds(60))))
        try store.write([TestEvent(id: "old"), TestEvent(id: "new", time: start + 180_000)])
        try store.maintain(now: at, wall: start + 180_000, isIdle: false)
        #expect(try store.ids() == ["new"])
        try store.write([TestEvent(id: "late")])
        try store.maintain(now: at + .seconds(59), wall: start + 180_000, isIdle: false)
        #expect(try store.ids() == ["new", "late"])
        try store.maintain(now: at + .seconds(60), wall: start + 180_000, isIdle: false)
        #expect(try store.ids() == ["new"])
    }
}
