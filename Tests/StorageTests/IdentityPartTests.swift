import Primitives
import TestSupport
import Testing

@testable import Storage

/// The parts of the identity index by themselves.
@Suite struct IdentityPartTests {
    @Test func `a table finds what was put in, sorts it, and forgets what was rolled back`() {
        var random = SeededGenerator.printingSeed("identity table")
        let table = IdentityTable()
        var entries: [(UInt64, Int64)] = []
        for seq in 1...Int64(5000) {
            // Some share their upper bits, some are equal.
            let spread = random.next()
            let fingerprint = seq % 10 == 0 ? spread % 5 &- 3 : spread
            entries.append((fingerprint, seq))
            table.insert(IdentityEntry(fingerprint: fingerprint, seq: seq))
        }
        func found(_ fingerprint: UInt64) -> [Int64] {
            var candidates: [Int64] = []
            table.find(fingerprint, &candidates)
            return candidates.sorted()
        }
        for (fingerprint, _) in entries.prefix(500) {
            #expect(found(fingerprint) == entries.filter { $0.0 == fingerprint }.map(\.1))
        }
        let sorted = table.sorted()
        #expect(sorted.map(\.fingerprint) == entries.map(\.0).sorted())
        #expect(Set(sorted.map(\.seq)) == Set(entries.map(\.1)))
        table.removeAll(after: 100)
        #expect(table.count == 100)
        #expect(found(entries[50].0).contains(51))
        #expect(!found(entries[4000].0).contains(4001))
    }

    @Test(arguments: [0, 1, 254, 255, 256, 10_000])
    func `a run's file finds each of its entries, also after it was opened again`(
        count: Int
    ) throws {
        var random = SeededGenerator.printingSeed("identity run of \(count)")
        let folder = try TemporaryDirectory()
        let place = IdentityFolder(database: folder.database)
        var entries = (0..<count).map { index in
            IdentityEntry(fingerprint: random.next(), seq: Int64(index + 1))
        }
        // Equal fingerprints that go over the border of a block.
        for index in entries.indices.dropFirst(200).prefix(300) {
            entries[index].fingerprint = 1 << 60
        }
        entries.sort { $0.fingerprint < $1.fingerprint }
        let writer = try IdentityRunWriter(in: place, name: "new-test", entryLimit: count)
        for entry in entries { try writer.append(entry) }
        let range = SeqRange(after: 0, last: Int64(max(count, 1)))
        let made = try writer.finish(IdentityRunHeader(store: 7, range: range))
        let opened = try IdentityRun(path: place.file(IdentityRunHeader.name(of: range)))
        #expect(opened.header == made.header)
        let page = IdentityPage()
        for run in [made, opened] {
            for entry in entries.shuffled(using: &random).prefix(1000) {
                var candidates: [Int64] = []
                try run.find(entry.fingerprint, &candidates, page)
                #expect(candidates.contains(entry.seq))
            }
            var candidates: [Int64] = []
            try run.find(1 << 60, &candidates, page)
            #expect(candidates.count == entries.count { $0.fingerprint == 1 << 60 })
            var wrong = 0
            for _ in 0..<10_000 {
                candidates.removeAll()
                try run.find(random.next(), &candidates, page)
                wrong += candidates.count
            }
            #expect(wrong == 0)
        }
    }

    @Test func `a filter of ten bits an entry is wrong for two in a hundred at most`() {
        var random = SeededGenerator.printingSeed("identity filter")
        let filter = IdentityFilter(entryCount: 100_000)
        let entries = (0..<100_000).map { _ in random.next() }
        for entry in entries { filter.insert(entry) }
        #expect(entries.allSatisfy { filter.mayContain($0) })
        let wrong = (0..<100_000).count { _ in filter.mayContain(random.next()) }
        #expect(wrong < 2000)
    }
}
