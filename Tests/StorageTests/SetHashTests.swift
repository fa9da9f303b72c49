import Primitives
import SQLite
import TestSupport
import Testing

@testable import Storage

extension EventStore {
    func state(
        _ types: [String] = [], from: Int64? = nil, to: Int64? = nil
    ) throws -> GenerationState {
        try readers.withReader(until: soon) { (connection) throws(SQLiteError) in
            try Generations.state(connection, types: types, from: from, to: to)
        }
    }

    /// The same from the rows alone, one by one.
    func setHashOfRows(
        _ types: [String] = [], from: Int64? = nil, to: Int64? = nil
    ) throws -> UInt64 {
        var sum: UInt64 = 0
        let hash = IdentityHash()
        let first = from.map(Generations.minute) ?? Generations.firstMinute
        let last = to.map { Generations.minute(of: $0 - 1) } ?? .max
        for event in try events(EventFilter(types: types), limit: 10_000, deadline: soon).events
        where (first...last).contains(Generations.minute(of: event.time)) {
            event.withRow { row in
                switch row.identity {
                case .generated(let id): sum &+= hash(source: row.source, generated: id)
                case .client(let id): sum &+= hash(source: row.source, id: id)
                }
            }
        }
        return sum
    }
}

@Suite struct SetHashTests {
    private let minute: Int64 = 60_000

    /// Makes of a closed store what the release before set hashes would have left.
    private func takeBackSetHashes(_ folder: TemporaryDirectory) throws {
        let old = try Connection(path: folder.database, role: .writer)
        try old.execute("ALTER TABLE generations DROP COLUMN set_hash")
        try old.execute("DELETE FROM meta WHERE key LIKE 'set_hash%'")
        try old.execute(
            "DROP TABLE rollup_names; DROP TABLE rollup_rows; DROP TABLE rollup_buckets;"
                + "DROP TABLE generation_days")
        try old.execute("DROP TABLE erasures; DROP TABLE erased_identities")
        try old.execute("PRAGMA user_version = 3")
    }

    private func anyEvent(
        _ random: inout SeededGenerator, _ step: Int64 = 60_000
    ) -> TestEvent {
        let time = start + Int64.random(in: 0..<20, using: &random) * step
        let type = ["a", "b", "c"].randomElement(using: &random) ?? ""
        return Bool.random(using: &random)
            ? TestEvent(id: "\(Int.random(in: 0..<2000, using: &random))", type: type, time: time)
            : TestEvent(key: .random(in: 0..<2000, using: &random), type: type, time: time)
    }

    @Test func `nodes that hold the same events have the same hash, whatever came first`() throws {
        let folders = (try TemporaryDirectory(), try TemporaryDirectory())
        let (one, other) = (try openStore(folders.0), try openStore(folders.1))
        let events = (0..<100).map { TestEvent(id: $0 % 2 == 0 ? "\($0)" : nil, key: UInt64($0)) }
        try one.writeTogether(events)
        try other.write(Array(events.reversed()))
        try other.write(Array(events.prefix(40)))
        #expect(try one.state().setHash == other.state().setHash)
        #expect(try one.state().setHash == one.setHashOfRows())
        // {x, y} and {x, z} count the same, and are not the same.
        try one.write([TestEvent(id: "y")])
        try other.write([TestEvent(id: "z")])
        #expect(try one.state().setHash != other.state().setHash)
        #expect(try one.state().count == 101 && other.state().count == 101)
        try one.write([TestEvent(id: "z")])
        try other.write([TestEvent(id: "y")])
        #expect(try one.state() == other.state())
    }

    @Test func `an event and its copy under the id that it was given are one identity`() throws {
        let folders = (try TemporaryDirectory(), try TemporaryDirectory())
        let (one, other) = (try openStore(folders.0), try openStore(folders.1))
        try one.write([TestEvent(key: 7)])
        let id = try #require(try one.ids().first)
        try other.write([TestEvent(id: id)])
        #expect(try one.state() == other.state())
        try other.write([TestEvent(id: id, source: "/other")])
        #expect(try one.state().setHash != other.state().setHash)
    }

    /// Within some minutes, and over some days.
    @Test(arguments: [60_000, 12_000_000] as [Int64])
    func `is the sum over the rows that are there, through retention and folding`(
        _ step: Int64
    ) throws {
        var random = SeededGenerator.printingSeed("set hashes")
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        for _ in 0..<60 {
            switch Int.random(in: 0..<4, using: &random) {
            case 0:
                let cutoff = start + Int64.random(in: 0..<20, using: &random) * step
                _ = try store.retain(after: cutoff, limit: .random(in: 1...100, using: &random))
            default: try store.writeTogether((0..<50).map { _ in anyEvent(&random, step) })
            }
            let from = start + Int64.random(in: 0..<20, using: &random) * step
            let types = [[], ["a"], ["b", "c"]].randomElement(using: &random) ?? []
            for (from, to) in [(nil, nil), (from, nil), (nil, from), (from, from + 5 * step)] {
                let seen = try store.state(types, from: from, to: to).setHash
                #expect(try seen == store.setHashOfRows(types, from: from, to: to))
            }
        }
        while try !store.retain(after: start + 60 * step).isDone {}
        #expect(try store.state().setHash == 0)
        #expect(try store.state().count > 0)
    }

    @Test func `a store of version 3 is filled while it serves, and tells no hash before`() throws {
        var random = SeededGenerator.printingSeed("filling set hashes")
        let folder = try TemporaryDirectory()
        var store = try openStore(folder)
        for _ in 0..<13 {
            try store.writeTogether(
                (0..<1000).map { TestEvent(key: UInt64($0) &+ random.next() >> 8) })
        }
        try store.write((0..<500).map { _ in anyEvent(&random) })
        store.close(deadline: soon)
        try takeBackSetHashes(folder)
        store = try openStore(folder)
        #expect(try store.state().setHash == nil)
        #expect(store.hasUrgentChore)
        var steps = 0
        while try store.state().setHash == nil {
            try store.maintain(now: at, isIdle: true)
            try store.write((0..<20).map { _ in anyEvent(&random) })
            _ = try store.retain(after: start + Int64(steps) * minute, limit: 3000)
            steps += 1
            if steps == 2 {
                store.close(deadline: soon)
                store = try openStore(folder)
                #expect(try store.state().setHash == nil)
            }
        }
        #expect((3...4).contains(steps))
        #expect(!store.hasUrgentChore)
        #expect(try store.state().setHash == store.setHashOfRows())
        for type in ["a", "b", "click"] {
            #expect(try store.state([type]).setHash == store.setHashOfRows([type]))
        }
    }

    @Test func `sums over days are those over minutes, also of a store that had no days`() throws {
        var random = SeededGenerator.printingSeed("days of generations")
        let folder = try TemporaryDirectory()
        var store = try openStore(folder)
        let day: Int64 = 86_400_000
        let times = (0..<600).map { _ in Int64.random(in: -4 * day..<4 * day, using: &random) }
        try store.writeTogether(times.enumerated().map { TestEvent(id: "\($0)", time: $1) })
        for isOld in [false, true] {
            if isOld {
                store.close(deadline: soon)
                let old = try Connection(path: folder.database, role: .writer)
                try old.execute("DROP TABLE generation_days")
                try old.execute("DROP TABLE erasures; DROP TABLE erased_identities")
                try old.execute("PRAGMA user_version = \(Schema.current.version - 2)")
                store = try openStore(folder)
            }
            for _ in 0..<200 {
                let edges = (0..<2).map { _ in
                    let edge = Int64.random(in: -5 * day...5 * day, using: &random)
                    return edge - (edge % minute + minute) % minute
                }
                let from = Bool.random(using: &random) ? edges.min() : nil
                let to = Bool.random(using: &random) ? edges.max() : nil
                let seen = try store.state(from: from, to: to)
                let count = times.count { $0 >= from ?? .min && $0 < to ?? .max }
                #expect(seen.count == Int64(count), "\(String(describing: (from, to)))")
                #expect(try seen.setHash == store.setHashOfRows(from: from, to: to))
            }
        }
    }

    @Test func `adds with wrapping in the database as it does here`() throws {
        var random = SeededGenerator.printingSeed("wrapping sums")
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        let writer = try store.writer()
        var expected: UInt64 = 0
        for _ in 0..<500 {
            let shift = UInt64.random(in: 0..<64, using: &random)
            let term = Bool.random(using: &random) ? random.next() >> shift : 0 &- random.next()
            expected &+= term
            try writer.transact { (_) throws(StorageError) in
                try attempt("t") { () throws(SQLiteError) in
                    try GenerationChange(changes: 1, hash: term)
                        .write(writer.connection, type: 1, minute: 1)
                }
            }
        }
        let stored = try store.integer("SELECT set_hash FROM generations WHERE type_id = 1")
        #expect(stored.map { UInt64(bitPattern: $0) } == expected)
        #expect(
            try store.integer(
                "SELECT count(*) FROM generations WHERE typeof(set_hash) != 'integer'") == 0)
    }
}
