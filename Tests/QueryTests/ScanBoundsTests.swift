import Primitives
import TestSupport
import Testing

@testable import Query

/// What ends a question that takes too long, or too much memory, between its rows and its answer.
@Suite struct ScanBoundsTests {
    private static let day: Int64 = 1_717_243_200_000
    /// 38 groups in 10,080 buckets: 383,040 rows of 38 events.
    private static let filled =
        "metric=count,p50:v&group_by=g&interval=1m&fill=0&from=2024-06-01&to=2024-06-08"

    private func groups() throws -> EventFile {
        try EventFile(
            (0..<38).map {
                TestEvent(
                    time: Self.day + Int64($0) * 60_000,
                    data: "{\"g\":\"group \($0 * 7 % 38)\",\"v\":\($0)}")
            })
    }

    private func scan(
        _ file: EventFile, _ query: String, memoryLimitBytes: Int = 128 << 20,
        isCancelled: @escaping @Sendable () -> Bool
    ) throws -> QueryScan {
        QueryScan(
            plan: try QueryPlan(QueryRequest.parse(pairs(query)), now: EventFile.now),
            connection: file.reader, readers: nil, deadline: .never, isCancelled: isCancelled,
            memoryLimitBytes: memoryLimitBytes)
    }

    /// How often the scan asks whether it is cancelled, if the answer is yes from then on.
    private func looks(
        _ file: EventFile, _ query: String, cancelledAt limit: Int
    ) throws -> (count: Int, isLate: Bool) {
        let count = Locked(0)
        let scan = try scan(file, query) {
            count.withLock {
                $0 += 1
                return $0 >= limit
            }
        }
        var encoder = RowEncoder(scan.plan.request)
        do throws(ScanFailure) { _ = try scan.run(&encoder) } catch {
            guard case .late = error else { throw error }
            return (count.withLock { $0 }, true)
        }
        return (count.withLock { $0 }, false)
    }

    @Test(arguments: ["", "&order=g,-count", "&order=-p50:v,g"])
    func `rows are filled in and put in order under the question's bounds`(order: String) throws {
        let file = try groups()
        let all = try looks(file, Self.filled + order, cancelledAt: .max)
        // At least one look for so many rows.
        #expect(!all.isLate && all.count >= 38 * 10_080 / ScanBounds.steps)
        for limit in [1, all.count / 3, all.count - 1] {
            let some = try looks(file, Self.filled + order, cancelledAt: limit)
            #expect(some.isLate && some.count == limit)
        }
    }

    @Test(arguments: [0, 9000, 27_300])
    func `any page of many filled rows is that of SQL`(offset: Int) throws {
        let file = try groups()
        let range = "&from=2024-06-01T12:00:00Z&to=2024-06-02&limit=100&group_by=g"
        for order in ["", "&order=g,-count", "&order=-count,-g"] {
            var request = try QueryRequest.parse(
                pairs("metric=count&interval=1m&fill=0" + range + order))
            request.cursor = QueryCursor(
                fingerprint: request.fingerprint, now: EventFile.now, offset: offset,
                lastSeq: 1000, isSketched: false)
            let answer = try file.result(request)
            #expect(answer.rowCount == min(100, 38 * 720 - offset))
        }
    }

    @Test func `a page too far down of too many rows is left to SQL`() throws {
        let file = try groups()
        var request = try QueryRequest.parse(
            pairs(
                "metric=count&group_by=g&interval=1m&fill=0&from=2024-06-01&to=2024-07-01"))
        request.cursor = QueryCursor(
            fingerprint: 0, now: EventFile.now, offset: ScanRows.limit / 2, lastSeq: 1000,
            isSketched: false)
        let plan = try QueryPlan(request, now: EventFile.now)
        let scan = QueryScan(
            plan: plan, connection: file.reader, readers: nil, deadline: .never, isCancelled: nil)
        var encoder = RowEncoder(request)
        do throws(ScanFailure) {
            _ = try scan.run(&encoder)
            Issue.record("so many rows were sorted in memory")
        } catch {
            guard case .tooLarge = error else { throw error }
        }
    }

    @Test func `sorting in runs sorts, and ends when it is told so`() throws {
        var random = SeededGenerator(seed: 11)
        for count in [0, 1, 2, 15, 16, 17, 1000, 4096, 10_001] {
            let numbers = (0..<count).map { _ in Int.random(in: 0..<500, using: &random) }
            var (sorted, room) = (numbers, numbers)
            try sorted.withUnsafeMutableBufferPointer { sorted in
                try room.withUnsafeMutableBufferPointer { room in
                    try MergeSort(.none, runLength: 16).sort(sorted, room) { $0 < $1 }
                }
            }
            #expect(sorted == numbers.sorted())
        }
    }

    @Test func `percentiles of many numbers are sorted under the question's bounds`() throws {
        let accumulator = RankAccumulator()
        accumulator.extend(to: 1)
        var random = SeededGenerator(seed: 12)
        for _ in 0..<100_000 {
            accumulator.add(.integer(Int64.random(in: 0...9, using: &random)), to: 0)
        }
        let looks = Locked(0)
        try accumulator.finish(
            ScanBounds(
                limitBytes: .max,
                isCancelled: {
                    looks.withLock { $0 += 1 }
                    return false
                }))
        // Two passes, the runs, and five rounds of merging them.
        #expect(looks.withLock { $0 } >= 2 * 100_000 / ScanBounds.steps + 6 * 100_000 / 4096)
        #expect(throws: ScanFailure.self) {
            try RankAccumulator.filled().finish(
                ScanBounds(limitBytes: .max, isCancelled: { true }))
        }
    }

    @Test(arguments: ["group_by=source", "where=source:contains:zzz", "group_by=type"])
    func `names count towards the memory of a question`(query: String) throws {
        let name = String(repeating: "n", count: 1000)
        let file = try EventFile(
            (0..<300).map {
                TestEvent(
                    time: Self.day + Int64($0), type: "t" + name + "\($0)",
                    source: "/" + name + "\($0)", data: "{}")
            })
        func run(_ limit: Int) throws -> Bool {
            let scan = try scan(
                file, "metric=count&from=2024-06-01&to=2024-06-02&" + query,
                memoryLimitBytes: limit, isCancelled: { false })
            var encoder = RowEncoder(scan.plan.request)
            do throws(ScanFailure) { _ = try scan.run(&encoder) } catch {
                guard case .tooLarge = error else { throw error }
                return false
            }
            return true
        }
        #expect(try !run(200_000))
        #expect(try run(1_000_000))
        // SQL has the answer, with names or without.
        _ = try file.result("metric=count&from=2024-06-01&to=2024-06-02&" + query)
    }

    @Test func `a mean whose sum is beyond the doubles is told, and the sum is null`() throws {
        let file = try EventFile(
            ["1e308", "1.2e308"].map { TestEvent(time: Self.day, data: "{\"v\":\($0)}") })
        let answer = try file.answer("metric=count,avg:v,sum:v&from=2024-06-01&to=2024-06-02")
        #expect(answer["rows"]?.elements.first?.elements == [.integer(2), .real(1.1e308), .null])
    }
}

extension RankAccumulator {
    fileprivate static func filled() -> RankAccumulator {
        let accumulator = RankAccumulator()
        accumulator.extend(to: 1)
        for number in 0..<10 as Range<Int64> { accumulator.add(.integer(number), to: 0) }
        return accumulator
    }
}
