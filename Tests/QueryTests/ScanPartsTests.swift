import Primitives
import SQLite
import Storage
import Telemetry
import TestSupport
import Testing

@testable import Query

/// One scan by several connections of a real store.
@Suite struct ScanPartsTests {
    private static let start: Int64 = 1_717_243_200_000

    private func store(_ directory: TemporaryDirectory, rows: Int) throws -> EventStore {
        let store = try EventStore(
            path: directory.file("store.db"), now: Self.start, log: .silent)
        var keys = UUIDv7Generator()
        let (type, source) = (Bytes("t"), Bytes("/s"))
        for first in stride(from: 0, to: rows, by: 1000) {
            let texts = (first..<first + 1000).map { index in
                Bytes("{\"k\":\"k\(index % 7)\",\"v\":\(index % 1000),\"r\":\(index).25}")
            }
            try store.write(position: nil) { (inserter) throws(StorageError) in
                for (offset, text) in texts.enumerated() {
                    let time = Self.start + Int64(first + offset)
                    try inserter.add(
                        EventRow(
                            identity: .generated(keys.next(milliseconds: time)), time: time,
                            type: type.span, source: source.span, subject: nil, data: text.span,
                            extensions: nil))
                }
                _ = try inserter.flush()
            }
        }
        return store
    }

    @Test(arguments: [
        "metric=count,sum:v,avg:r,min:v,max:k,uniq:v,p50:v,p99:r",
        "metric=count,sum:r,uniq:k,p95:v&group_by=k&interval=1m",
        "metric=count,max:v&group_by=v,type&where=k:in:k1,k2&order=-count",
    ])
    func `answers in parts as in one`(query: String) throws {
        let directory = try TemporaryDirectory()
        let store = try store(directory, rows: 20_000)
        defer { store.close(deadline: .after(.seconds(10))) }
        let plan = try QueryPlan(
            QueryRequest.parse(pairs(query + "&from=2024-06-01&limit=10000")), now: Self.start)
        let answers = try [Int64.max, 3000].map { rowsPerPart in
            try store.readers.withReader(until: .after(.seconds(60)), mapping: { $0 as any Error })
            {
                connection throws(any Error) in
                var encoder = RowEncoder(plan.request)
                let scan = QueryScan(
                    plan: plan, connection: connection, readers: store.readers, deadline: .never,
                    isCancelled: nil, rowsPerPart: rowsPerPart, parts: 3)
                #expect(try !scan.run(&encoder))
                return encoder.finish(
                    .json, next: nil,
                    from: QuerySnapshot(generation: GenerationState(), lastSeq: 0, takenAt: 0)
                ).body.text
            }
        }
        #expect(answers[0] == answers[1])
    }

    @Test func `leaves to SQL what does not fit in memory`() throws {
        let file = try EventFile(
            (0..<2000).map { TestEvent(time: Self.start, data: "{\"k\":\"\($0)\"}") })
        let plan = try QueryPlan(
            QueryRequest.parse(pairs("metric=count&group_by=k&from=2024-01-01")),
            now: Self.start)
        var encoder = RowEncoder(plan.request)
        let scan = QueryScan(
            plan: plan, connection: file.reader, readers: nil, deadline: .never, isCancelled: nil,
            memoryLimitBytes: 10_000)
        do throws(ScanFailure) {
            _ = try scan.run(&encoder)
            Issue.record("2,000 groups fit in 10,000 bytes")
        } catch {
            guard case .tooLarge = error else { throw error }
        }
    }
}
