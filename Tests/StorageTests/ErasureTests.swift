import Primitives
import SQLite
import TestSupport
import Testing

@testable import Storage

@Suite(.blocking) struct ErasureTests {
    private let minute: Int64 = 60_000

    private func order(
        _ filter: EventFilter, in store: EventStore, barrier: UInt64 = 0
    ) throws -> String {
        let id = "erasure-\(UInt64.random(in: .min ... .max))"
        let erasure = Erasure(
            id: id, requested: start, node: "n1", conditions: "subject",
            matcher: ErasureMatcher(filter))
        let order = store.erase(erasure) { barrier }
        let ticket = try #require(order)
        try store.maintain(now: at, isIdle: true)
        #expect(store.waitUntilBegun(ticket, deadline: soon))
        return id
    }

    /// Does what is left of it; the copies elsewhere are said to be gone.
    private func finish(_ id: String, in store: EventStore) throws -> Erasure {
        let deadline = Deadline.after(.seconds(60) * slowness)
        while store.erasures.erasure(id)?.stage != .finished, !deadline.hasPassed {
            try store.maintain(now: at, isIdle: true)
            if store.erasures.erasure(id)?.stage == .copies { store.erasures.copiesAreGone(of: id) }
        }
        #expect(store.erasures.erasure(id)?.stage == .finished, "it takes too long")
        return try #require(store.erasures.erasure(id))
    }

    private func erase(_ filter: EventFilter, in store: EventStore) throws -> Erasure {
        try finish(try order(filter, in: store), in: store)
    }

    /// Of two people, with ids of all three kinds.
    private func fill(_ store: EventStore, count: Int = 100) throws {
        let events = (0..<count).map { (index: Int) -> TestEvent in
            let isAnn = index % 2 == 0
            var event = TestEvent(id: index % 3 == 0 ? nil : "id-\(index)")
            event.key = UInt64(index)
            event.type = "type-\(index % 4)"
            event.source = "/source/\(index % 5)"
            event.subject = isAnn ? "ann@example.com" : "bob@example.com"
            event.time = start + Int64(index) * 1000
            event.data = #"{"secret":"\#(isAnn ? "ann's" : "bob's") number \#(index)"}"#
            return event
        }
        try store.writeTogether(events)
    }

    @Test func `erases what is asked for, and nothing else`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        try fill(store)
        let wanted: [(EventFilter, Int64)] = [
            (EventFilter(subjects: ["nobody"]), 0),
            (EventFilter(types: ["type-0", "type-9"], subjects: ["bob@example.com"]), 0),
            (EventFilter(types: ["type-1"], from: start + 50_000), 12),
            (EventFilter(sources: ["/source/3"], to: start + 50_000), 10),
            (EventFilter(subjects: ["ann@example.com"]), 45),
            (EventFilter(from: start), 33),
        ]
        var rows: Int64 = 100
        for (filter, count) in wanted {
            #expect(try store.count(filter, deadline: soon) == count, "\(filter)")
            let before = try store.generation()
            let erasure = try erase(filter, in: store)
            rows -= count
            #expect(erasure.events == count && erasure.stage == .finished, "\(filter)")
            #expect(erasure.matcher == nil && erasure.finished != nil)
            #expect(store.status.rows == rows)
            #expect(try store.generation() == before + count)
            #expect(try store.count(filter, deadline: soon) == 0)
        }
        #expect(rows == 0 && store.status.erasedIdentities == 100)
        let state = try store.readers.withReader(until: soon) { (connection) throws(SQLiteError) in
            try Generations.state(connection, types: [], from: nil, to: nil)
        }
        #expect(state.setHash == 0)
        #expect(try IntegrityReport(path: folder.database).problems.isEmpty)
    }

    @Test func `leaves no byte of it in any file`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        try fill(store, count: 20_000)
        for index in 0..<40 {
            let who = index % 2 == 0 ? "ann@example.com" : "bob@example.com"
            store.quarantine.add(
                QuarantineEntry(
                    received: start, code: "missing_type", detail: "no type",
                    contentType: "application/json",
                    raw: Bytes(#"{"subject":"\#(who)","secret":"refused"}"#), preview: "{}"))
            _ = store.sinks.settle(
                [
                    DeadLetterEntry(
                        sink: "s", time: start, status: 400, refusals: 1,
                        event: Bytes(
                            #"{"specversion":"1.0","id":"dead-\#(index)","type":"t","source":"/s","#
                                + #""subject":"\#(who)","time":"2015-05-17T10:05:00Z"}"#))
                ], sink: "s", position: nil)
        }
        try store.maintain(now: at, isIdle: true)
        #expect(!FileSearch.find(["ann@example.com", "ann's number"], in: folder.path).isEmpty)
        let erasure = try erase(EventFilter(subjects: ["ann@example.com"]), in: store)
        #expect(erasure.events == 10_000)
        #expect(erasure.quarantined == 20 && erasure.deadLetters == 20)
        #expect(store.status.quarantined == 20 && store.status.deadLetters == 20)
        #expect(FileSearch.find(["ann@example.com", "ann's number"], in: folder.path) == [])
        #expect(!FileSearch.find(["bob@example.com"], in: folder.path).isEmpty)
        // The last event of a type or source takes their names along.
        _ = try erase(EventFilter(types: ["type-1"]), in: store)
        _ = try erase(EventFilter(sources: ["/source/3"]), in: store)
        #expect(FileSearch.find(["type-1", "/source/3"], in: folder.path) == [])
        try store.write([TestEvent(id: "new", type: "type-1", source: "/source/3")])
        #expect(try store.ids(EventFilter(types: ["type-1"], sources: ["/source/3"])) == ["new"])
        store.close(deadline: soon)
        #expect(FileSearch.find(["ann@example.com", "ann's number"], in: folder.path) == [])
    }

    /// Added to the number of a row, so that no key or hash looks like one by chance.
    private static let marks = 700_000_000

    /// Pages that lost rows are evened out with their neighbours, and that leaves copies.
    @Test func `leaves no copy of a row that was moved`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        var random = SeededGenerator.printingSeed("copies of moved rows")
        let sizes = [5, 50, 200, 700, 3000]
        var groups: [Set<Int>] = Array(repeating: [], count: 6)
        for first in stride(from: 0, to: 20_000, by: 1000) {
            let events = (first..<first + 1000).map { (index: Int) -> TestEvent in
                let group = Int.random(in: 0..<6, using: &random)
                groups[group].insert(index)
                let filler = String(
                    repeating: "x", count: sizes[Int.random(in: 0..<5, using: &random)])
                return TestEvent(
                    id: "\(index)", type: "group-\(group)",
                    data: "\"<\(ErasureTests.marks + index)>\(filler)\"")
            }
            try store.writeTogether(events)
        }
        for group in 0..<4 {
            let erasure = try erase(EventFilter(types: ["group-\(group)"]), in: store)
            #expect(erasure.events == groups[group].count)
            let marks = groups[group].map { ErasureTests.marks + $0 }
            let left = FileSearch.numbers(in: folder.path).intersection(marks)
            #expect(left == [], "group \(group)")
        }
        #expect(try IntegrityReport(path: folder.database).problems.isEmpty)
        #expect(store.status.rows == groups[4].count + groups[5].count)
    }

    /// All pages but the first count as overwritten before there is a row. SQLite gives pages that are
    /// written later what is to be erased, and all of those are overwritten again.
    @Test func `overwrites again what was written after its step`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        try store.writer().overwriting = Overwriting(rest: 1)
        var random = SeededGenerator.printingSeed("pages that were overwritten before")
        let sizes = [5, 50, 200, 700, 3000]
        var erased: Set<Int> = []
        for first in stride(from: 0, to: 20_000, by: 1000) {
            let events = (first..<first + 1000).map { (index: Int) -> TestEvent in
                let isErased = Int.random(in: 0..<3, using: &random) > 0
                if isErased { erased.insert(ErasureTests.marks + index) }
                let filler = String(
                    repeating: "x", count: sizes[Int.random(in: 0..<5, using: &random)])
                return TestEvent(
                    id: "\(index)", type: isErased ? "old" : "kept",
                    data: "\"<\(ErasureTests.marks + index)>\(filler)\"")
            }
            try store.writeTogether(events)
            try store.checkpoint()
        }
        let id = try order(EventFilter(types: ["old"]), in: store)
        #expect(try finish(id, in: store).events == erased.count)
        #expect(FileSearch.numbers(in: folder.path).intersection(erased) == [])
        #expect(try IntegrityReport(path: folder.database).problems.isEmpty)
    }

    @Test func `an identity stays, also when its index is made anew`() throws {
        let folder = try TemporaryDirectory()
        var store = try openStore(folder)
        let events = [
            TestEvent(id: "mine", subject: "ann"), TestEvent(key: 7, subject: "ann"),
            TestEvent(id: "other", subject: "bob"),
        ]
        try store.write(events)
        let ids = try store.ids(EventFilter(subjects: ["ann"]))
        let given = try #require(ids.last { $0 != "mine" })
        _ = try erase(EventFilter(subjects: ["ann"]), in: store)
        func check() throws {
            #expect(try store.write(events).inserted == 0)
            // Given back by a client under the id that it was given here.
            #expect(try store.write([TestEvent(id: given, subject: "ann")]).inserted == 0)
            #expect(try store.ids() == ["other"])
        }
        try check()
        store.close(deadline: soon)
        store = try openStore(folder)
        try check()
        store.close(deadline: soon)
        for name in FileSystem.names(in: folder.database + "-identity") {
            FileSystem.remove(folder.database + "-identity/" + name)
        }
        store = try openStore(folder)
        try check()
        // Another source's id of the same text is another event.
        #expect(
            try store.write([
                TestEvent(id: given, source: "/elsewhere", subject: "ann"),
                TestEvent(id: "mine", source: "/elsewhere", subject: "ann"),
            ]).inserted == 2)
    }

    @Test func `a dead letter waits until it is known whether its event was erased`() throws {
        let folder = try TemporaryDirectory()
        var store = try openStore(folder)
        try store.write([
            TestEvent(id: "mine", subject: "ann"), TestEvent(id: "kept", subject: "bob"),
        ])
        let id = try order(EventFilter(subjects: ["ann"]), in: store)
        let deadline = soon
        while store.erasures.erasure(id)?.stage != .copies, !deadline.hasPassed {
            try store.maintain(now: at, isIdle: true)
        }
        store.close(deadline: soon)
        FileSystem.remove(folder.database + "-identity")
        // Chores read the identities again, a step at a time.
        var chosen = EventStoreOptions()
        chosen.identityRowsAtOpen = 0
        store = try openStore(folder, options: chosen)
        _ = store.sinks.settle(
            ["mine", "other"].map { id in
                DeadLetterEntry(
                    sink: "s", time: start, status: 400, refusals: 5,
                    event: Bytes(
                        #"{"specversion":"1.0","id":"\#(id)","type":"\#(TestEvent().type)","#
                            + #""source":"\#(TestEvent().source)","subject":"ann"}"#))
            }, sink: "s", position: nil)
        #expect(throws: StorageError.self) { try store.drainSinks(try store.writer()) }
        #expect(store.status.deadLetters == 0)
        while store.status.deadLetters == 0, !deadline.hasPassed {
            try? store.maintain(now: at, isIdle: true)
        }
        let letters = try store.deadLetters(limit: 9, deadline: soon).letters
        #expect(letters.count == 1 && letters.first?.event.text.contains("other") == true)
    }

    @Test func `goes on after a restart where it was`() throws {
        let folder = try TemporaryDirectory()
        var store = try openStore(folder)
        try fill(store, count: 30_000)
        let id = try order(EventFilter(subjects: ["ann@example.com"]), in: store)
        let before = try #require(store.erasures.erasure(id))
        #expect(before.stage == .rows, "it was quicker than this test thinks")
        store.close(deadline: soon)
        store = try openStore(folder)
        #expect(store.erasures.erasure(id)?.events == before.events)
        // Stored after it began: not touched.
        try store.write([TestEvent(id: "later", subject: "ann@example.com")])
        #expect(try finish(id, in: store).events == 15_000)
        #expect(try store.ids(EventFilter(subjects: ["ann@example.com"])) == ["later"])
        #expect(store.status.rows == 15_001)
        store.close(deadline: soon)
        store = try openStore(folder)
        #expect(store.erasures.erasure(id)?.stage == .finished)
        #expect(store.erasures.nextOfStore == nil)
    }

    @Test func `what is on its way keeps its identity alone`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        let id = try order(EventFilter(subjects: ["ann"]), in: store, barrier: 5)
        let (old, new) = (
            TestEvent(id: "old", subject: "ann"), TestEvent(id: "new", subject: "ann")
        )
        for (event, record) in [(old, UInt64(5)), (new, 6)] {
            let held = HeldRow(event)
            defer { withExtendedLifetime(held) {} }
            try store.write(position: record) { (inserter) throws(StorageError) in
                if store.erasures.filter(record: record)?.matches(held.row) == true {
                    try inserter.addErased(held.row)
                } else {
                    try inserter.add(held.row)
                }
                _ = try inserter.flush()
            }
        }
        #expect(try finish(id, in: store).events == 0)
        #expect(try store.ids() == ["new"])
        #expect(try store.write([old, new]).duplicates == 2)
        #expect(store.status.erasedIdentities == 1)
    }

    @Test func `what is to be erased is known among others of one transaction`() throws {
        let store = try openStore(try TemporaryDirectory())
        defer { store.close(deadline: soon) }
        let events = (0..<40).map { TestEvent(id: "\($0)", subject: "ann") }
        let held = events.map { HeldRow($0) }
        defer { withExtendedLifetime(held) {} }
        let result = try store.write(position: nil) { (inserter) throws(StorageError) in
            for (index, row) in held.enumerated() {
                // In turn: to be erased, an event, an event that is then to be erased.
                if index % 3 != 0 { try inserter.add(row.row) }
                if index % 3 != 1 { try inserter.addErased(row.row) }
            }
            #expect(try inserter.flush().isEmpty)
        }
        // The one that was there is left to the erasure that has begun.
        #expect(result.inserted == 26)
        #expect(store.status.erasedIdentities == 14)
        #expect(try store.write(events).duplicates == 40)
    }

    @Test func `after a restart, what came to quarantine after an erasure stays`() {
        var erasure = Erasure(
            id: "e", requested: start, node: "n1", conditions: "subject",
            matcher: ErasureMatcher(EventFilter(subjects: ["ann"])))
        // It came a second ago, after the erasure of an earlier run had been through quarantine.
        let received = WallClock.nowMilliseconds() - 1000
        erasure.stage = .deadLetters
        #expect(ErasureBook([erasure]).filter(receivedAt: received) != nil)
        for stage in [Erasure.Stage.names, .copies, .finished] {
            erasure.stage = stage
            #expect(ErasureBook([erasure]).filter(receivedAt: received) == nil)
        }
    }

    @Test func `a matcher says nothing and comes back from its bytes`() throws {
        let filter = EventFilter(
            types: ["a", "b"], sources: ["/s"], subjects: ["ann"], from: 5, to: 9)
        let matcher = ErasureMatcher(filter)
        #expect(ErasureMatcher(decoding: matcher.encoded) == matcher)
        #expect(ErasureMatcher(decoding: matcher.encoded.dropLast()) == nil)
        #expect(ErasureMatcher(decoding: matcher.encoded + [0]) == nil)
        #expect(ErasureMatcher(decoding: [UInt8]()) == nil)
        #expect(ErasureMatcher(filter) != matcher)
        let cases: [(TestEvent, Bool)] = [
            (TestEvent(id: "1", type: "a", source: "/s", subject: "ann", time: 5), true),
            (TestEvent(id: "1", type: "b", source: "/s", subject: "ann", time: 8), true),
            (TestEvent(id: "1", type: "b", source: "/s", subject: "ann", time: 9), false),
            (TestEvent(id: "1", type: "b", source: "/s", subject: "ann", time: 4), false),
            (TestEvent(id: "1", type: "ann", source: "/s", subject: "ann", time: 5), false),
            (TestEvent(id: "1", type: "a", source: "ann", subject: "ann", time: 5), false),
            (TestEvent(id: "1", type: "a", source: "/s", subject: "a", time: 5), false),
            (TestEvent(id: "1", type: "a", source: "/s", subject: nil, time: 5), false),
        ]
        for (event, isMatch) in cases {
            let held = HeldRow(event)
            #expect(matcher.matches(held.row) == isMatch, "\(event)")
            withExtendedLifetime(held) {}
        }
    }
}
