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

/// An event in the form that the store takes; it keeps the bytes that the row borrows.
struct HeldRow {
    private let held: [Bytes]
    let row: EventRow

    init(_ event: TestEvent) {
        var held: [Bytes] = []
        func hold(_ text: String) -> UnsafeRawBufferPointer {
            held.append(Bytes(text))
            return held[held.count - 1].span
        }
        let key = Key128(
            high: UInt64(bitPattern: event.time) << 16 | 0x7000, low: 1 << 63 | event.key)
        row = EventRow(
            identity: event.id.map { .client(hold($0)) } ?? .generated(key), time: event.time,
            type: hold(event.type), source: hold(event.source), subject: event.subject.map(hold),
            data: event.data.map(hold), extensions: event.extensions.map(hold))
        self.held = held
    }
}

extension EventInserter {
    /// Stores one event by a statement of its own.
    func insert(_ event: TestEvent) throws(StorageError) {
        let held = HeldRow(event)
        defer { withExtendedLifetime(held) {} }
        try add(held.row)
        if let rejected = try flush().first { throw rejected.error }
    }
}

extension EventStore {
    @discardableResult
    func write(_ events: [TestEvent], position: UInt64? = nil) throws(StorageError) -> WriteResult {
        try write(position: position) { (inserter) throws(StorageError) in
            for event in events { try inserter.insert(event) }
        }
    }

    /// As `write`, but many rows with one statement.
    @discardableResult
    func writeTogether(
        _ events: [TestEvent], position: UInt64? = nil
    ) throws(StorageError) -> (result: WriteResult, rejected: [String]) {
        let rows = events.map(HeldRow.init)
        defer { withExtendedLifetime(rows) {} }
        var rejected: [String] = []
        let result = try write(position: position) { (inserter) throws(StorageError) in
            for row in rows { try inserter.add(row.row) }
            rejected = try inserter.flush().map {
                String(decoding: $0.row.subject ?? $0.row.type, as: UTF8.self)
            }
        }
        return (result, rejected)
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
