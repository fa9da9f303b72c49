import Primitives
import SQLite
import Storage
import Telemetry
import TestSupport
import Testing

extension TemporaryDirectory {
    var database: String { file("store.db") }
}

/// 2015-05-17T10:05:00Z, a whole minute.
let start: Int64 = 1_431_857_100_000
/// Made anew for each use: other suites may keep the machine busy for long.
var soon: Deadline { .after(.seconds(20) * slowness) }
let at = MonotonicTime(nanoseconds: 1_000_000_000_000)

func openStore(
    _ folder: TemporaryDirectory, options: EventStoreOptions = EventStoreOptions()
) throws -> EventStore {
    try EventStore(path: folder.database, now: start, log: .silent, options: options)
}

/// An event as a test writes it down.
struct TestEvent {
    var id: String?
    var key: UInt64 = 0
    var type = "click"
    var source = "/test"
    var subject: String?
    var time = start
    var data: String? = #"{"n":1}"#
    var extensions: String?
}

extension EventInserter {
    @discardableResult
    func insert(_ event: TestEvent) throws(StorageError) -> Bool {
        // The bytes live as long as `held`, and so as long as the row that borrows them.
        let held = (
            Bytes(event.type), Bytes(event.source), event.id.map { Bytes($0) },
            event.subject.map { Bytes($0) }, event.data.map { Bytes($0) },
            event.extensions.map { Bytes($0) }
        )
        defer { withExtendedLifetime(held) {} }
        let key = Key128(
            high: UInt64(bitPattern: event.time) << 16 | 0x7000, low: 1 << 63 | event.key)
        return try insert(
            EventRow(
                identity: held.2.map { .client($0.span) } ?? .generated(key), time: event.time,
                type: held.0.span, source: held.1.span, subject: held.3?.span,
                data: held.4?.span, extensions: held.5?.span))
    }
}

extension EventStore {
    @discardableResult
    func write(_ events: [TestEvent], position: UInt64? = nil) throws(StorageError) -> WriteResult {
        try write(position: position) { (inserter) throws(StorageError) in
            for event in events { try inserter.insert(event) }
        }
    }

    func ids(_ filter: EventFilter = EventFilter(), limit: Int = 100) throws -> [String] {
        try events(filter, limit: limit, deadline: soon).events.map(\.id)
    }

    func generation(_ types: [String] = [], from: Int64? = nil, to: Int64? = nil) throws -> Int64 {
        try readers.withReader(until: soon) { (connection) throws(SQLiteError) in
            try Generations.sum(connection, types: types, from: from, to: to)
        }
    }

    func integer(_ sql: String) throws -> Int64? {
        try readers.withReader(until: soon) { (connection) throws(SQLiteError) in
            try connection.integer(sql)
        }
    }

    /// What `EXPLAIN QUERY PLAN` says, line by line.
    func plan(_ sql: String) throws -> [String] {
        try readers.withReader(until: soon) { (connection) throws(SQLiteError) in
            let statement = try connection.prepare("EXPLAIN QUERY PLAN " + sql)
            var lines: [String] = []
            while try statement.step() { lines.append(statement.text(3)) }
            return lines
        }
    }
}
