import Cache
import Primitives
import SQLite
import Storage
import TestSupport
import Testing

@testable import Query

/// An event as the tests state it.
struct TestEvent {
    var time: Int64
    var type = "page.view"
    var source = "/web"
    /// nil: the service gave the id, which is the key.
    var id: String?
    var subject: String?
    /// JSON text.
    var data: String?
    /// A JSON object.
    var extensions: String?
}

/// A database file of the store's form in a folder of its own, and a reader of it.
final class EventFile {
    let reader: Connection
    private let writer: Connection
    private let directory: TemporaryDirectory
    private var nextKey: UInt64 = 1
    /// What each question with an interval is asked a second time with.
    let buckets = BucketReuse(MemoryTier(.bytes(64 << 20)), BucketCounters())

    init(_ events: [TestEvent] = []) throws {
        directory = try TemporaryDirectory()
        writer = try Connection(path: directory.file("events.db"), role: .writer)
        try writer.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF")
        for step in Schema.current.steps { try writer.execute(step) }
        reader = try Connection(path: directory.file("events.db"), role: .reader)
        try add(events)
    }

    func add(_ events: [TestEvent]) throws {
        try writer.transaction { () throws(SQLiteError) in
            for event in events { try add(event) }
        }
    }

    private func add(_ event: TestEvent) throws(SQLiteError) {
        let type = try identifier(event.type, in: "event_types")
        let source = try identifier(event.source, in: "event_sources")
        let insert = try writer.cached(
            "INSERT INTO event_rows(key, time, type_id, source_id, id, subject, data,"
                + " extensions) VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
        insert.bind(1, Key128(high: 0x018F_0000_0000_7000, low: nextKey))
        nextKey += 1
        insert.bind(2, event.time)
        insert.bind(3, type)
        insert.bind(4, source)
        insert.bind(5, event.id.map { .text($0) } ?? SQLValue.null)
        insert.bind(6, event.subject.map { .text($0) } ?? SQLValue.null)
        insert.bind(7, event.data.map { .text($0) } ?? SQLValue.null)
        insert.bind(8, event.extensions.map { .text($0) } ?? SQLValue.null)
        try insert.run()
        let count = try writer.cached(
            "INSERT INTO generations(type_id, minute, count) VALUES (?, ?, 1)"
                + " ON CONFLICT DO UPDATE SET count = count + 1")
        count.bind(1, type)
        count.bind(2, Int64((Double(event.time) / 60_000).rounded(.down)))
        try count.run()
        let day = try writer.cached(
            "INSERT INTO generation_days(type_id, day, count, set_hash) VALUES (?, ?, 1, 0)"
                + " ON CONFLICT DO UPDATE SET count = count + 1")
        day.bind(1, type)
        day.bind(2, Int64((Double(event.time) / 86_400_000).rounded(.down)))
        try day.run()
    }

    private func identifier(_ name: String, in table: String) throws(SQLiteError) -> Int64 {
        let insert = try writer.cached("INSERT OR IGNORE INTO \(table)(name) VALUES (?)")
        insert.bind(1, name)
        try insert.run()
        let select = try writer.cached("SELECT id FROM \(table) WHERE name = ?")
        select.bind(1, name)
        _ = try select.step()
        defer { select.reset() }
        return select.integer(0)
    }

    // MARK: Asking

    /// The moment that the tests take for the present: 2024-06-15T12:00:00Z.
    static let now: Int64 = 1_718_452_800_000

    /// The answer of the scan, which has to be that of SQL as well where SQL has one.
    func result(_ query: String) throws -> QueryAnswer {
        try result(QueryRequest.parse(pairs(query)))
    }

    func result(_ request: QueryRequest, now: Int64 = EventFile.now) throws -> QueryAnswer {
        let plan = try QueryPlan(request, now: now)
        let answer = try QueryBackend.scan.run(
            plan, on: reader, deadline: .after(.seconds(20 * slowness)))
        if !request.explain, request.interval != nil {
            let pieced = try QueryBackend.scan.run(
                plan, on: reader, reuse: buckets, deadline: .after(.seconds(20 * slowness)))
            #expect(answer.body.text == pieced.body.text)
            #expect(answer.next == pieced.next)
        }
        if !request.explain, request.metrics.allSatisfy(\.isSQL) {
            let oracle = try QueryBackend.sql.run(
                plan, on: reader, deadline: .after(.seconds(20 * slowness)))
            #expect(answer.body.text == oracle.body.text)
            #expect(answer.next == oracle.next)
        }
        return answer
    }

    /// The answer's JSON.
    func answer(_ query: String) throws -> JSONTree {
        try JSONTree.parse(result(query).body.text)
    }

    /// The answer's rows, each as its JSON values.
    func rows(_ query: String) throws -> [[JSONTree]] {
        try answer(query)["rows"]?.elements.map(\.elements) ?? []
    }
}

/// `a=1&b=2` without any decoding: tests write values as they are, and commas part lists.
func pairs(_ query: String) -> [Parameter] {
    query.split(separator: "&").map { pair in
        let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        return parameter(String(parts[0]), parts.count > 1 ? String(parts[1]) : "")
    }
}

func parameter(_ name: String, _ value: String) -> Parameter {
    Parameter(name: name, elements: value.parts(by: ",").map(String.init))
}

/// Milliseconds since 1970 of an RFC 3339 time.
func at(_ text: String) throws -> Int64 { try #require(Timestamp.parse(text)) }
