import Primitives
import SQLite
import TestSupport
import Testing

@testable import Storage

@Suite(.blocking) struct ReadingTests {
    @Test func `lists newest first, and of one time the last stored first`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        try store.write([
            TestEvent(id: "b1", type: "b", time: start + 1), TestEvent(id: "a1", type: "a"),
            TestEvent(id: "z", type: "z"), TestEvent(id: "a2", type: "a"),
            TestEvent(id: "b2", type: "b", time: start + 1),
        ])
        #expect(try store.ids() == ["b2", "b1", "a2", "z", "a1"])
        #expect(try store.ids(EventFilter(types: ["a", "z"])) == ["a2", "z", "a1"])
        #expect(try store.ids(EventFilter(types: ["b"])) == ["b2", "b1"])
        #expect(try store.ids(EventFilter(types: ["unknown"])).isEmpty)
    }

    @Test func `tells types and sources apart that differ in bytes alone`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        let names = ["caf\u{E9}", "cafe\u{301}"]
        try store.write(
            names.enumerated().map {
                TestEvent(id: "\($0.offset)", type: $0.element, source: $0.element)
            })
        for (index, name) in names.enumerated() {
            #expect(try store.ids(EventFilter(types: [name])) == ["\(index)"])
            #expect(try store.ids(EventFilter(sources: [name])) == ["\(index)"])
        }
        for filter in [EventFilter(types: names), EventFilter(sources: names)] {
            #expect(try store.ids(filter) == ["1", "0"])
        }
        #expect(try store.generation(names) == 2)
    }

    @Test(arguments: [1, 2, 3, 7, 50])
    func `pages through everything exactly once`(limit: Int) throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        // Times repeat, go backwards, and span hours; types alternate.
        let events = (0..<100).map { index in
            TestEvent(
                id: "\(index)", type: ["a", "b", "c"][index % 3],
                time: start + Int64(index * 37 % 10) * 1_800_000)
        }
        try store.write(events)
        for types in [[], ["a"], ["a", "c"]] {
            var ids: [String] = []
            var cursor: EventCursor?
            repeat {
                let page = try store.events(
                    EventFilter(types: types), before: cursor, limit: limit, deadline: soon)
                #expect(page.events.count <= limit)
                ids += page.events.map(\.id)
                cursor = page.next.flatMap { EventCursor(text: $0.text) }
                #expect((page.next == nil) == (cursor == nil))
            } while cursor != nil
            let expected =
                events.enumerated().filter { types.isEmpty || types.contains($0.element.type) }
                .sorted { ($0.element.time, $0.offset) > ($1.element.time, $1.offset) }
            #expect(ids == expected.compactMap(\.element.id))
        }
    }

    @Test func `does not repeat or skip when late events come between pages`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        try store.write((0..<6).map { TestEvent(id: "\($0)", time: start + Int64($0) * 1000) })
        let first = try store.events(EventFilter(), limit: 3, deadline: soon)
        #expect(first.events.map(\.id) == ["5", "4", "3"])
        try store.write([
            TestEvent(id: "late", time: start), TestEvent(id: "new", time: start + 9000),
            TestEvent(id: "beside", time: start + 3000),
        ])
        let second = try store.events(
            EventFilter(), before: first.next, limit: 9, deadline: soon)
        #expect(second.events.map(\.id) == ["2", "1", "late", "0"])
        #expect(second.next == nil)
    }

    @Test func `filters by time, source and subject`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        try store.write([
            TestEvent(id: "1", source: "/a", subject: "x", time: start - 1),
            TestEvent(id: "2", source: "/a", subject: "y", time: start),
            TestEvent(id: "3", source: "/b", subject: "x", time: start + 59_999),
            TestEvent(id: "4", source: "/b", time: start + 60_000),
        ])
        #expect(try store.ids(EventFilter(from: start, to: start + 60_000)) == ["3", "2"])
        #expect(try store.ids(EventFilter(types: ["click"], from: start)) == ["4", "3", "2"])
        #expect(try store.ids(EventFilter(types: ["click"], to: start)) == ["1"])
        #expect(try store.ids(EventFilter(sources: ["/a"])) == ["2", "1"])
        #expect(try store.ids(EventFilter(sources: ["/none"])).isEmpty)
        #expect(try store.ids(EventFilter(subjects: ["x"])) == ["3", "1"])
        #expect(try store.ids(EventFilter(sources: ["/b"], subjects: ["x", "y"])) == ["3"])
        #expect(try store.ids(EventFilter(from: start + 5, to: start)).isEmpty)
    }

    @Test func `ends a page early when too much had to be looked at, and goes on from there`()
        throws
    {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        let total = EventScan.examinedLimit + 5000
        try store.write(position: nil) { (inserter) throws(StorageError) in
            try inserter.insert(TestEvent(id: "needle", subject: "rare"))
            for index in 1...total {
                try inserter.insert(TestEvent(key: UInt64(index), time: start + Int64(index) * 10))
            }
        }
        for types in [[], ["click"]] {
            let filter = EventFilter(types: types, subjects: ["rare"])
            let first = try store.events(filter, limit: 10, deadline: soon)
            #expect(first.events.isEmpty)
            let cursor = try #require(first.next)
            let second = try store.events(filter, before: cursor, limit: 10, deadline: soon)
            #expect(second.events.map(\.id) == ["needle"])
            #expect(second.next == nil)
        }
    }

    @Test(arguments: [[], ["click"]])
    func `ends a page before it is too large for memory`(types: [String]) throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        let data = "\"\(String(repeating: "x", count: 250_000))\""
        let count = 40
        for index in 0..<count {
            try store.write([TestEvent(id: "\(index)", time: start + Int64(index), data: data)])
        }
        var (ids, cursor, pages) = ([String](), EventCursor?.none, 0)
        repeat {
            let page = try store.events(
                EventFilter(types: types), before: cursor, limit: 1000, deadline: soon)
            #expect(page.events.count * data.utf8.count < EventScan.pageBytes + 300_000)
            ids += page.events.map(\.id)
            (cursor, pages) = (page.next, pages + 1)
        } while cursor != nil
        #expect(ids == (0..<count).reversed().map { "\($0)" })
        #expect(pages == 2)
    }

    @Test func `reads only the rows it needs`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        let all = try store.plan(EventScan.candidates(types: 0))
        #expect(all.first?.contains("COVERING INDEX event_time (time>? AND time<?)") == true)
        #expect(all.dropFirst().allSatisfy { $0.contains("RIGHT PART OF ORDER BY") })
        for types in [1, 2, 3, 32] {
            let plan = try store.plan(EventScan.candidates(types: types))
            #expect(plan.first?.contains("COVERING INDEX event_time (time>? AND time<?)") == true)
        }
        let minute = try store.plan(EventScan.newestMinute)
        #expect(
            minute == ["SEARCH generations USING PRIMARY KEY (type_id=? AND minute>? AND minute<?)"]
        )
        let row = try store.plan(EventScan.row)
        #expect(row == ["SEARCH event_rows USING INTEGER PRIMARY KEY (rowid=?)"])
    }

    @Test func `finds a rare type among many with few steps`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        try store.write(position: nil) { (inserter) throws(StorageError) in
            try inserter.insert(TestEvent(id: "old", type: "rare", time: start - 86_400_000))
            for index in 0..<50_000 {
                try inserter.insert(TestEvent(key: UInt64(index), time: start + Int64(index) * 100))
            }
        }
        // A progress handler that stops at its first call, after 4,000 steps, is a bound on work.
        let connection = try Connection(path: folder.database, role: .reader)
        connection.limit(until: .never, isCancelled: { true })
        var scan = try EventScan(connection, EventFilter(types: ["rare"]), before: nil, limit: 10)
        #expect(try scan.run().events.map(\.id) == ["old"])
        var narrow = try EventScan(
            connection, EventFilter(from: start + 1000, to: start + 1300), before: nil, limit: 10)
        #expect(try narrow.run().events.count == 3)
    }

    @Test func `follows what is stored, in that order`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        try store.write(
            (1...9).map {
                TestEvent(id: "\($0)", type: $0 % 3 == 0 ? "b" : "a", time: start - Int64($0))
            })
        let first = try store.events(after: 0, limit: 4, deadline: soon)
        #expect(first.events.map(\.id) == ["1", "2", "3", "4"])
        #expect(first.lastSeq == 4 && first.hasMore)
        let rest = try store.events(after: 4, types: ["b"], limit: 4, deadline: soon)
        #expect(rest.events.map(\.id) == ["6", "9"])
        #expect(rest.lastSeq == 9 && !rest.hasMore)
        let none = try store.events(after: 9, limit: 4, deadline: soon)
        #expect(none == EventTail(lastSeq: 9, hasMore: false))
    }

    @Test func `a tail ends behind the event that reaches its size`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        let data = "\"" + String(repeating: "x", count: 98) + "\""
        try store.write((1...5).map { TestEvent(id: "\($0)", data: data) })
        let part = try store.events(after: 0, limit: 9, maxBytes: 150, deadline: soon)
        #expect(part.events.map(\.id) == ["1", "2"])
        #expect(part.lastSeq == 2 && part.hasMore)
        let rest = try store.events(after: 2, limit: 9, maxBytes: 300, deadline: soon)
        #expect(rest.events.map(\.id) == ["3", "4", "5"])
        #expect(rest.lastSeq == 5 && !rest.hasMore)
    }

    @Test func `writes CloudEvents with data and extensions as they came`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        try store.write([
            TestEvent(
                key: 0xABC, type: "t\"1", source: "/s", subject: "ü", time: start + 7,
                data: #"{ "a": [1, 2.50] }"#, extensions: #"{"traceid":"x","n":1}"#),
            TestEvent(id: "plain", data: nil, extensions: "{ }"),
        ])
        var buffer = ByteBuffer()
        let page = try store.events(EventFilter(), limit: 2, deadline: soon)
        for event in page.events {
            buffer.append(cloudEvent: event)
            buffer.append("\n")
        }
        #expect(
            buffer.text == """
                {"specversion":"1.0","id":"014d6155-74e7-7000-8000-000000000abc","type":"t\\"1",\
                "source":"/s","subject":"ü","time":"2015-05-17T10:05:00.007Z",\
                "data":{ "a": [1, 2.50] },"traceid":"x","n":1}
                {"specversion":"1.0","id":"plain","type":"click","source":"/test",\
                "time":"2015-05-17T10:05:00.000Z"}

                """)
    }

    @Test func `shows the same events in SQL as in the list`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        try store.write([TestEvent(key: 5, subject: "s"), TestEvent(id: "own")])
        let rows = try store.readers.withReader(until: soon) { (connection) throws(SQLiteError) in
            let select = try connection.prepare("SELECT * FROM events ORDER BY seq")
            var rows: [[SQLValue]] = []
            while try select.step() { rows.append((0..<select.columnCount).map(select.value)) }
            return rows
        }
        #expect(
            rows == [
                [
                    .integer(1), .text("014d6155-74e0-7000-8000-000000000005"), .text("click"),
                    .text("/test"), .text("s"), .integer(start), .text(#"{"n":1}"#), .null,
                ],
                [
                    .integer(2), .text("own"), .text("click"), .text("/test"), .null,
                    .integer(start), .text(#"{"n":1}"#), .null,
                ],
            ])
        #expect(try store.ids() == ["own", "014d6155-74e0-7000-8000-000000000005"])
    }

    @Test(arguments: [
        "", "garbage", "AQ", "====", "AAAAAAAAAAAAAAAAAAAAAAA", "AQAAAU1hmJMgAAAAAAAAAAA",
        "AQAAAU1hmJMgAAAAAAAAAAB", "AgAAAU1hmJMgAAAAAAAAAAAAAAAAAAAAAA",
        "AgAAAU1hmJMgAAAAAAAAAAEAAAAAAAAAAB", String(repeating: "A", count: 100), "é",
    ])
    func `refuses a cursor that it did not write`(text: String) {
        #expect(EventCursor(text: text) == nil)
    }

    @Test func `reads a cursor that it wrote`() {
        for (time, seq) in [(start, Int64(1)), (-1, .max), (Timestamp.range.lowerBound, 77)] {
            var cursor = EventCursor(time: time, seq: seq)
            #expect(EventCursor(text: cursor.text) == cursor)
            cursor.store = .max - 1
            #expect(EventCursor(text: cursor.text) == cursor)
        }
    }
}
