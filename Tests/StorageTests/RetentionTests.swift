import Primitives
import SQLite
import TestSupport
import Testing

@testable import Storage

@Suite(.blocking) struct RetentionTests {
    private let minute: Int64 = 60_000

    /// Ten events a minute over ten minutes, two types.
    private func fill(_ store: EventStore) throws {
        let events = (0..<100).map { index -> TestEvent in
            let time = start + Int64(index / 10) * minute + Int64(index % 10)
            return TestEvent(id: "\(index)", type: index % 2 == 0 ? "a" : "b", time: time)
        }
        try store.write(events)
    }

    @Test func `deletes what is older, in steps`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        try fill(store)
        let cutoff = start + 5 * minute + 30_000
        var steps: [RetentionStep] = []
        repeat {
            steps.append(try store.retain(after: cutoff, limit: 20))
        } while steps.last?.isDone == false
        #expect(steps.map(\.deleted).reduce(0, +) == 50)
        #expect(steps.allSatisfy { $0.deleted <= 20 })
        #expect(steps.map(\.folded).reduce(0, +) == 10)
        #expect(store.status.rows == 50)
        #expect(try store.integer("SELECT min(time) FROM event_rows") == start + 5 * minute)
        #expect(try store.ids(EventFilter(types: ["a"]), limit: 1) == ["98"])
        #expect(try store.retain(after: cutoff, limit: 20) == RetentionStep())
        #expect(try IntegrityReport(path: folder.database).problems.isEmpty)
    }

    @Test func `makes every answer over deleted events invalid, and no other`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        try fill(store)
        let ranges: [(from: Int64?, to: Int64?)] = [
            (nil, nil), (start, start + 2 * minute), (start + minute, start + 7 * minute),
            (nil, start + 1), (start + 5 * minute, start + 7 * minute), (start + 6 * minute, nil),
        ]
        let types = [[], ["a"], ["b"], ["a", "b"], ["none"]]
        func sums() throws -> [[Int64]] {
            try ranges.map { range in
                try types.map { try store.generation($0, from: range.from, to: range.to) }
            }
        }
        var before = try sums()
        #expect(before[0] == [100, 50, 50, 100, 0])
        #expect(before[2] == [60, 30, 30, 60, 0])
        let kept = Array(before[4...])
        var isDone = false
        while !isDone {
            isDone = try store.retain(after: start + 5 * minute, limit: 7).isDone
            let after = try sums()
            // A sum never goes back, or an answer of long ago would be taken for valid again.
            for (old, new) in zip(before.joined(), after.joined()) { #expect(new >= old) }
            before = after
        }
        for (index, sum) in before[..<4].enumerated() {
            #expect(sum[0] > [100, 20, 60, 10][index], "range \(index)")
        }
        #expect(Array(before[4...]) == kept)
        #expect(
            try store.integer(
                "SELECT count(*) FROM generations WHERE minute < \(start / minute + 5)")
                == 2)
        // A late event in a folded minute counts, comes, and goes again.
        try store.write([TestEvent(id: "late", type: "a", time: start)])
        let late = try store.generation(["a"], from: start, to: start + minute)
        #expect(late == before[1][1] + 1)
        #expect(try store.retain(after: start + 6 * minute).deleted == 11)
        #expect(try store.generation(["a"], from: start, to: start + minute) > late)
        #expect(try store.ids(EventFilter(types: ["a"], to: start + minute)).isEmpty)
    }

    @Test func `gives space back to the file system little by little`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        let data = "\"" + String(repeating: "x", count: 2000) + "\""
        for batch in 0..<20 {
            try store.write((0..<500).map { TestEvent(id: "\(batch)-\($0)", data: data) })
        }
        try store.checkpoint()
        let full = store.status.fileBytes
        #expect(full > 20 << 20)
        while try !store.retain(after: start + minute, limit: 2000).isDone {}
        for second in 0..<60 {
            try store.maintain(now: at + .seconds(second * 5), isIdle: true)
        }
        let status = store.status
        #expect(status.rows == 0)
        #expect(status.fileBytes < full / 2)
        #expect(status.freePages < 2400)
        try store.write([TestEvent(id: "0-0", data: data)])
        #expect(store.status.rows == 1)
    }

    @Test(arguments: [
        (Int64(0), Int64(0)), (59_999, 0), (60_000, 1), (-1, -1), (-60_000, -1), (-60_001, -2),
    ])
    func `rounds minutes down, also before 1970`(time: Int64, minute: Int64) {
        #expect(Generations.minute(of: time) == minute)
    }

    @Test func `counts minutes on both sides of 1970`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        let times: [Int64] = [
            -60_001, -60_000, -1, 0, 59_999, Timestamp.range.lowerBound, Timestamp.range.upperBound,
        ]
        try store.write(times.map { TestEvent(id: "\($0)", time: $0) })
        #expect(try store.generation(from: -60_000, to: 0) == 2)
        #expect(try store.generation(from: 0, to: 60_000) == 2)
        #expect(try store.generation() == 7)
        #expect(
            try store.ids(EventFilter(types: ["click"], from: -60_000, to: 60_000)) == [
                "59999", "0", "-1", "-60000",
            ])
        #expect(try store.ids(EventFilter(types: ["click"])).count == 7)
    }
}
