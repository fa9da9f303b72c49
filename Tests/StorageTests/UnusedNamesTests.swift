import Primitives
import SQLite
import TestSupport
import Testing

@testable import Storage

/// Names of types and sources that retention has left without events.
@Suite(.blocking) struct UnusedNamesTests {
    private let minute: Int64 = 60_000

    private func removeAll(_ store: EventStore, rows: Int64 = 3, names: Int = 2) throws {
        while try !store.removeUnusedNames(rows: rows, names: names) {}
    }

    private func retainAll(_ store: EventStore, after cutoff: Int64) throws {
        while try !store.retain(after: cutoff, limit: 3).isDone {}
    }

    /// The names of a table, but for those that stand for none.
    private func names(_ store: EventStore, _ table: String) throws -> [String] {
        try store.readers.withReader(until: soon) { (connection) throws(SQLiteError) in
            let select = try connection.prepare(
                "SELECT name FROM event_\(table) WHERE name NOT LIKE 'unused:%' ORDER BY name")
            var names: [String] = []
            while try select.step() { names.append(select.text(0)) }
            return names
        }
    }

    @Test func `names go with their last event, and the others stay`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        // Some names in old events alone, some in new ones alone, some in both.
        try store.write(
            (0..<30).map { index in
                TestEvent(
                    id: "\(index)", type: "t\(index % 10)", source: "/s\(index % 10)",
                    time: start + (index % 10 < 4 || index < 9 ? 0 : 5 * minute))
            })
        try removeAll(store)
        #expect(try names(store, "types").count == 10 && names(store, "sources").count == 10)
        try retainAll(store, after: start + minute)
        try removeAll(store)
        #expect(try names(store, "types") == (4...9).map { "t\($0)" })
        #expect(try names(store, "sources") == (4...9).map { "/s\($0)" })
        #expect(try store.ids(EventFilter(types: ["t4"], sources: ["/s4"])).count == 2)
        #expect(try store.integer("SELECT count(*) FROM events WHERE type IS NULL") == 0)
        // All of them, with the highest number, which stays without its name and is not given
        // again.
        try retainAll(store, after: start + 6 * minute)
        try removeAll(store)
        #expect(try names(store, "types").isEmpty && names(store, "sources").isEmpty)
        #expect(try store.integer("SELECT count(*) FROM event_types") == 1)
        try removeAll(store)
        try store.write([TestEvent(id: "again", type: "t0", source: "/s0", time: start)])
        #expect(try store.integer("SELECT type_id FROM event_rows") == 11)
        #expect(try store.integer("SELECT source_id FROM event_rows") == 11)
        try removeAll(store)
        #expect(try store.integer("SELECT count(*) FROM event_sources") == 1)
        #expect(try store.integer("SELECT count(*) FROM generation_days") == 1)
        #expect(try IntegrityReport(path: folder.database).problems.isEmpty)
        store.close(deadline: soon)
    }

    @Test func `a name that is used while it is searched for stays`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        func event(_ id: String, _ name: String, _ time: Int64) -> TestEvent {
            TestEvent(id: id, type: name, source: "/" + name, time: time)
        }
        try store.write(["a", "b", "c"].map { event($0, $0, start) })
        try store.write((0..<20).map { event("\($0)", "kept", start + 5 * minute) })
        try retainAll(store, after: start + minute)
        for (step, name) in ["b", "a", "a"].enumerated() {
            #expect(try !store.removeUnusedNames(rows: 3))
            try store.write([event("new \(step)", name, start + 5 * minute)])
        }
        try removeAll(store)
        #expect(try names(store, "types") == ["a", "b", "kept"])
        #expect(try names(store, "sources") == ["/a", "/b", "/kept"])
        let events = try store.events(EventFilter(types: ["a"]), limit: 10, deadline: soon).events
        #expect(events.map(\.source) == ["/a", "/a"])
        store.close(deadline: soon)
    }

    /// The types and the range that a question asks about.
    private struct Question: Hashable {
        var types: [String]
        var from: Int64?
        var to: Int64?
    }

    private func questions() -> [Question] {
        let types = [[], ["a"], ["b"], ["a", "c"], ["d", "none"], ["a", "b", "c", "d"]]
        let ranges: [(Int64?, Int64?)] = [
            (nil, nil), (start, start + 5 * minute), (start + 3 * minute, nil),
            (start + 8 * minute, start + 12 * minute), (nil, start + 6 * minute),
        ]
        return types.flatMap { types in
            ranges.map { Question(types: types, from: $0.0, to: $0.1) }
        }
    }

    @Test func `no sum of generations is met again with other events`() throws {
        var random = SeededGenerator.printingSeed("unused names")
        for _ in 0..<15 {
            let folder = try TemporaryDirectory()
            let store = try openStore(folder)
            var met: [Question: [Int64: Set<String>]] = [:]
            var last: [Question: Int64] = [:]
            var (cutoff, count) = (Int64(0), 0)
            for _ in 0..<40 {
                switch Int.random(in: 0..<6, using: &random) {
                case 0...2:
                    let events = (0..<Int.random(in: 1...4, using: &random)).map { index in
                        TestEvent(
                            id: "\(count + index)",
                            type: ["a", "b", "c", "d"].randomElement(using: &random) ?? "a",
                            source: "/\(Int.random(in: 0..<3, using: &random))",
                            // Some are older than what was deleted last.
                            time: start + (cutoff + .random(in: -2...6, using: &random)) * minute)
                    }
                    count += events.count
                    try store.write(events)
                case 3, 4:
                    cutoff = min(cutoff + .random(in: 0...6, using: &random), 12)
                    try retainAll(store, after: start + cutoff * minute)
                default: try removeAll(store)
                }
                for question in questions() {
                    let sum = try store.generation(
                        question.types, from: question.from, to: question.to)
                    let filter = EventFilter(
                        types: question.types, from: question.from, to: question.to)
                    let answer = Set(try store.ids(filter, limit: 1000))
                    let before = met[question, default: [:]].updateValue(answer, forKey: sum)
                    #expect(before == nil || before == answer, "\(question) \(sum)")
                    #expect(sum >= last[question] ?? 0, "\(question)")
                    last[question] = sum
                }
            }
            try expectSetHashes(of: store)
            store.close(deadline: soon)
        }
    }

    /// They are those of a store that never held anything else.
    private func expectSetHashes(of store: EventStore) throws {
        let folder = try TemporaryDirectory()
        let other = try openStore(folder)
        for event in try store.events(EventFilter(), limit: 1000, deadline: soon).events {
            try other.write([
                TestEvent(id: event.id, type: event.type, source: event.source, time: event.time)
            ])
        }
        for question in questions() {
            let hashes = try [store, other].map { store in
                try store.readers.withReader(until: soon) { (connection) throws(SQLiteError) in
                    try Generations.state(
                        connection, types: question.types, from: question.from, to: question.to
                    ).setHash
                }
            }
            #expect(hashes[0] == hashes[1], "\(question)")
        }
        other.close(deadline: soon)
    }

    @Test func `retention looks for them after its last step, in steps, and again after a day`()
        throws
    {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        store.add(.retention(RetentionPolicy(standard: .seconds(60))))
        let wall = start + 180_000
        var now = at
        func run(seconds: Int) throws {
            for _ in 0..<5 * seconds {
                try store.maintain(now: now, wall: wall, isIdle: false)
                now = now + .milliseconds(200)
            }
        }
        try store.write([
            TestEvent(id: "old", type: "gone", source: "/gone"), TestEvent(id: "new", time: wall),
        ])
        try run(seconds: 5)
        #expect(try names(store, "types") == ["click"] && names(store, "sources") == ["/test"])
        try store.write([TestEvent(id: "late", type: "late", source: "/late")])
        try run(seconds: 120)
        #expect(try store.ids() == ["new"])
        #expect(try names(store, "types") == ["click", "late"])
        now = now + .seconds(86_400)
        try run(seconds: 5)
        #expect(try names(store, "types") == ["click"] && names(store, "sources") == ["/test"])
        store.close(deadline: soon)
    }
}
