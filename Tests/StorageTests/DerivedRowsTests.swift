import Primitives
import SQLite
import TestSupport
import Testing

@testable import Storage

/// What one who derives something from rows is told.
private final class Listener: DerivedRows, @unchecked Sendable {  // The test's thread.
    var lastSeq: Int64 = -1
    var present: [Int64: String] = [:]
    var pending: [(seq: Int64, data: String?)] = []
    var rollbacks = 0
    var writes = 0
    var isClosed = false
    var fails = false

    func open(_ connection: Connection, lastSeq: Int64) throws(SQLiteError) {
        self.lastSeq = lastSeq
    }

    func inserted(_ row: TalliedRow) {
        pending.append((row.seq, row.data.map { String(decoding: $0, as: UTF8.self) } ?? ""))
    }

    func deleted(_ row: TalliedRow) {
        #expect(row.data.map { String(decoding: $0, as: UTF8.self) } == present[row.seq])
        pending.append((row.seq, nil))
    }

    func write(_ connection: Connection) throws(SQLiteError) {
        #expect(connection.isInTransaction)
        if fails { throw SQLiteError(code: 13, message: "the test says so") }
        writes += 1
        for change in pending { present[change.seq] = change.data }
        pending = []
    }

    func rolledBack() {
        rollbacks += 1
        pending = []
    }

    func close() { isClosed = true }
}

@Suite(.blocking) struct DerivedRowsTests {
    private func options(_ listener: Listener) -> EventStoreOptions {
        var options = EventStoreOptions()
        options.derived = listener
        return options
    }

    private func rows(_ store: EventStore) throws -> [Int64: String] {
        try store.readers.withReader(until: soon) { (connection) throws(SQLiteError) in
            let select = try connection.prepare("SELECT seq, data FROM event_rows")
            var rows: [Int64: String] = [:]
            while try select.step() { rows[select.integer(0)] = select.text(1) }
            return rows
        }
    }

    @Test func `hears of every row that comes or goes, once, and of what was taken back`() throws {
        let folder = try TemporaryDirectory()
        let listener = Listener()
        let store = try openStore(folder, options: options(listener))
        #expect(listener.lastSeq == 0)
        let events = (0..<100).map { index in
            TestEvent(
                id: "\(index % 80)", time: start + Int64(index % 10) * 60_000,
                data: "{\"n\":\(index)}")
        }
        try store.writeTogether(events)
        #expect(listener.present.count == 80)
        #expect(try listener.present == rows(store))
        // Only one of a statement is refused, so each is inserted by itself.
        try store.write([TestEvent(id: "one", data: "{}")])
        #expect(throws: StorageError.self) {
            try store.write(position: nil) { (inserter) throws(StorageError) in
                try inserter.insert(TestEvent(id: "gone"))
                throw StorageError(.full, "the test says so")
            }
        }
        #expect(listener.rollbacks == 1)
        #expect(try listener.present == rows(store))
        listener.fails = true
        #expect(throws: StorageError.self) { try store.write([TestEvent(id: "gone")]) }
        listener.fails = false
        #expect(listener.rollbacks == 2)
        while try !store.retain(after: start + 4 * 60_000, limit: 7).isDone {}
        #expect(try listener.present == rows(store))
        #expect(listener.present.count < 60 && !listener.present.isEmpty)
        store.close(deadline: soon)
        #expect(listener.isClosed)
        let again = Listener()
        let successor = try openStore(folder, options: options(again))
        #expect(again.lastSeq == 81)
        successor.close(deadline: soon)
    }

    @Test func `a store without declarations drops its rollups, little by little`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder, options: options(Listener()))
        let record = try store.changeDerived { (connection) throws(SQLiteError) in
            let record = try RollupCatalogue(connection).add("r", fingerprint: 1, fillEnd: 0)
            let table = try RollupTable(connection)
            for bucket in 0..<6000 {
                try withUnsafeBytes(of: bucket) { key in
                    Result { () throws(SQLiteError) in
                        try table.write(record.id, Int64(bucket), key, count: 1, state: key)
                        try table.write(
                            record.id, Int64(bucket), RollupBucket(groups: 1, flags: .stale))
                    }
                }.get()
            }
            return record
        }
        #expect(record.isComplete && record.counts(1))
        func size() throws -> RollupSize {
            try store.readers.withReader(until: soon) { (connection) throws(SQLiteError) in
                try RollupCatalogue(connection).size(record.id)
            }
        }
        #expect(try size().buckets == 6000 && size().rows == 6000 && size().staleBuckets == 6000)
        store.close(deadline: soon)
        let plain = try openStore(folder)
        #expect(try plain.integer("SELECT count(*) FROM rollup_names WHERE name IS NOT NULL") == 0)
        #expect(try plain.integer("SELECT count(*) FROM rollup_rows") == 6000)
        try plain.maintain(now: at, isIdle: false)
        #expect(try plain.integer("SELECT count(*) FROM rollup_rows") == 1000)
        for _ in 0..<5 { try plain.maintain(now: at, isIdle: false) }
        for table in ["rollup_names", "rollup_rows", "rollup_buckets"] {
            #expect(try plain.integer("SELECT count(*) FROM \(table)") == 0, "\(table)")
        }
        plain.close(deadline: soon)
    }
}
