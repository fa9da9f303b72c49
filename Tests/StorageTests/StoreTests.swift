import Glibc
import Primitives
import SQLite
import Synchronization
import Telemetry
import TestSupport
import Testing

@testable import Storage

@Suite(.blocking) struct StoreTests {
    /// Version 1 as it was released. It must never change: files made with it exist.
    @Test func `keeps the first version of the schema as it was`() {
        let bytes = Array(Schema.version1.utf8)
        #expect(bytes.withUnsafeBytes { crc32c($0) } == 3_838_911_344)
    }

    @Test func `migrates a file of an earlier version and keeps its events`() throws {
        let folder = try TemporaryDirectory()
        let old = try openStore(folder)
        try old.write([TestEvent(id: "1")], position: 7)
        old.close(deadline: soon)
        var options = EventStoreOptions()
        options.schema = Schema(
            steps: Schema.current.steps + [
                "CREATE TABLE later(x INTEGER) STRICT;",
                "ALTER TABLE later ADD COLUMN y INTEGER; INSERT INTO later VALUES(1, 2);",
            ])
        let new = try openStore(folder, options: options)
        #expect(try new.integer("PRAGMA user_version") == Int64(Schema.current.version) + 2)
        #expect(try new.integer("SELECT y FROM later") == 2)
        #expect(new.position == 7)
        #expect(try new.write([TestEvent(id: "1")]).duplicates == 1)
        new.close(deadline: soon)
        let error = #expect(throws: StorageError.self) { _ = try openStore(folder) }
        #expect(error?.code == .newerSchema)
    }

    @Test func `a file of version 1 gets the tables of sinks`() throws {
        let folder = try TemporaryDirectory()
        do {
            let old = try Connection(path: folder.database, role: .writer)
            try old.execute(Schema.version1)
            try old.execute("PRAGMA user_version = 1")
            try old.execute("PRAGMA application_id = \(0x4D52_4C43)")
        }
        let store = try openStore(folder)
        #expect(try store.integer("PRAGMA user_version") == Int64(Schema.current.version))
        #expect(try store.openSinks(["a"]) == ["a": 0])
        store.close(deadline: soon)
    }

    @Test func `takes back a migration that fails`() throws {
        let folder = try TemporaryDirectory()
        try openStore(folder).close(deadline: soon)
        var options = EventStoreOptions()
        options.schema = Schema(
            steps: Schema.current.steps + [
                "CREATE TABLE half(x INTEGER) STRICT; INSERT INTO nowhere VALUES(1);"
            ])
        let error = #expect(throws: StorageError.self) {
            _ = try openStore(folder, options: options)
        }
        #expect(
            error?.message.contains("migration to version \(Schema.current.version + 1)") == true)
        let store = try openStore(folder)
        #expect(try store.integer("PRAGMA user_version") == Int64(Schema.current.version))
        #expect(try store.integer("SELECT count(*) FROM sqlite_schema WHERE name = 'half'") == 0)
    }

    @Test func `lets the journal go only by what a complete checkpoint has synced`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        try store.write([TestEvent(id: "1")], position: 1)
        #expect(store.position == 1 && store.durablePosition == 0)
        try store.maintain(now: at, isIdle: false)
        #expect(store.durablePosition == 0)
        try store.maintain(now: at + .seconds(2), isIdle: false)
        #expect(store.durablePosition == 1)
        // A reader of an older state keeps the log from being moved as a whole.
        try store.readers.withReader(until: soon) { (connection) throws(SQLiteError) in
            _ = try connection.integer("SELECT count(*) FROM event_rows")
            do {
                try store.write([TestEvent(id: "2")], position: 2)
                #expect(try !store.checkpoint())
                try store.maintain(now: at + .seconds(9), isIdle: true)
            } catch {
                Issue.record(error)
            }
            #expect(store.durablePosition == 1)
            #expect(try connection.integer("SELECT count(*) FROM event_rows") == 1)
        }
        try store.maintain(now: at + .seconds(20), isIdle: true)
        #expect(store.durablePosition == 2)
        #expect(store.status.logBytes == 0)
        try store.write([], position: 3)
        store.close(deadline: soon)
        #expect(!folder.names.contains("store.db-wal"))
        let again = try openStore(folder)
        #expect(again.position == 3 && again.durablePosition == 3)
    }

    @Test func `keeps the log short under readers and writes`() throws {
        let folder = try TemporaryDirectory()
        var options = EventStoreOptions()
        options.checkpointBytes = 256 << 10
        options.logLimitBytes = 1 << 20
        let store = try openStore(folder, options: options)
        let isDone = Atomic<Bool>(false)
        let failures = Counter()
        let snapshots = Counter()
        let threads = (0..<6).map { index in
            Thread(name: "reader") {
                while !isDone.load(ordering: .acquiring) {
                    do {
                        try store.readers.withReader(until: soon) {
                            connection throws(SQLiteError) in
                            // Rows, counters and generations are of one moment, whatever is written.
                            let noted = try connection.integer(
                                "SELECT value FROM meta WHERE key = 'event_count'")
                            usleep(1000)
                            let rows = try connection.integer("SELECT count(*) FROM event_rows")
                            let sum = try Generations.sum(
                                connection, types: [], from: nil, to: nil)
                            if (noted ?? 0) != rows || rows != sum { failures.add() }
                            snapshots.add()
                        }
                        if index == 0 {
                            let page = try store.events(
                                EventFilter(types: ["click"]), limit: 20, deadline: soon)
                            if page.events.count > 20 { failures.add() }
                        }
                    } catch {
                        failures.add()
                    }
                }
            }
        }
        for batch in 0..<300 {
            try store.write(
                (0..<20).map { TestEvent(id: "\(batch)-\($0)", time: start + Int64(batch) * 1000) },
                position: UInt64(batch))
            try store.maintain(now: at + .milliseconds(batch * 10), isIdle: false)
        }
        isDone.store(true, ordering: .releasing)
        for thread in threads { thread.join() }
        #expect(failures.count == 0)
        #expect(snapshots.count > 10)
        #expect(store.status.logBytes < 4 << 20)
        #expect(store.durablePosition > 0)
        try store.maintain(now: at + .seconds(60), isIdle: true)
        #expect(store.durablePosition == 299)
        #expect(store.status.rows == 6000)
    }

    @Test func `lends no more readers than it has, and waits no longer than allowed`() throws {
        let folder = try TemporaryDirectory()
        var options = EventStoreOptions()
        options.readerCount = 1
        let store = try openStore(folder, options: options)
        try store.readers.withReader(until: soon) { (_) throws(SQLiteError) in
            let error = #expect(throws: StorageError.self) {
                _ = try store.events(
                    EventFilter(), limit: 1, deadline: .after(.milliseconds(20)))
            }
            #expect(error?.code == .busy)
        }
        #expect(try store.ids().isEmpty)
    }

    @Test func `ends a statement at its deadline, and the reader is good afterwards`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        let endless = """
            WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n
            """
        let error = #expect(throws: StorageError.self) {
            try store.readers.withReader(until: .after(.milliseconds(50))) {
                (connection) throws(SQLiteError) in
                _ = try connection.integer(endless)
            }
        }
        #expect(error?.code == .deadline)
        let cancelled = #expect(throws: StorageError.self) {
            try store.readers.withReader(until: soon, isCancelled: { true }) {
                (connection) throws(SQLiteError) in
                _ = try connection.integer(endless)
            }
        }
        #expect(cancelled?.code == .deadline)
        #expect(try store.ids().isEmpty)
    }

    @Test func `lets readers read only`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        for sql in ["DELETE FROM meta", "DROP TABLE meta", "PRAGMA user_version = 9"] {
            #expect(throws: StorageError.self) {
                try store.readers.withReader(until: soon) { (connection) throws(SQLiteError) in
                    try connection.execute(sql)
                }
            }
        }
        #expect(try store.integer("SELECT count(*) FROM meta") == 2)
    }

    @Test func `answers nothing once it is closed`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        store.quarantine.add(
            QuarantineEntry(
                received: 1, code: "c", detail: "d", contentType: "t", raw: Bytes("r"),
                preview: "p"))
        store.close(deadline: soon)
        let write = #expect(throws: StorageError.self) { try store.write([TestEvent(id: "1")]) }
        #expect(write?.code == .closed)
        let read = #expect(throws: StorageError.self) { _ = try store.ids() }
        #expect(read?.code == .closed)
        #expect(store.status.quarantined == 1)
        store.close(deadline: soon)
        #expect(folder.names == ["store.db"])
    }

    @Test(arguments: [(false, 1), (true, 2)] as [(Bool, Int64)])
    func `commits wait for the disk only where they are to`(isWaiting: Bool, level: Int64) throws {
        let folder = try TemporaryDirectory()
        var options = EventStoreOptions()
        options.syncsCommits = isWaiting
        let store = try openStore(folder, options: options)
        // 1 is NORMAL, 2 is FULL (sqlite.org/pragma.html#pragma_synchronous).
        #expect(try store.writer().connection.integer("PRAGMA synchronous") == level)
    }

    /// NOMEM, IOERR_NOMEM, PROTOCOL, SCHEMA, BUSY_SNAPSHOT and LOCKED, then what is bound to a
    /// statement or a row: ERROR, MISUSE, RANGE, MISMATCH and CONSTRAINT.
    @Test(
        arguments: [
            (7, .outOfMemory, true), (10 | 12 << 8, .outOfMemory, true), (15, .busy, true),
            (17, .busy, true), (5 | 2 << 8, .busy, true), (6, .busy, true), (1, .misuse, false),
            (21, .misuse, false), (25, .misuse, false), (20, .rejected, false),
            (19, .rejected, false),
        ] as [(Int32, StorageError.Code, Bool)])
    func `only what is bound to a statement is a mistake, and what passes is tried again`(
        number: Int32, code: StorageError.Code, isRetryable: Bool
    ) {
        let failure = StorageError(SQLiteError(code: number, message: "it failed"), "store.db")
        #expect(failure.code == code && failure.isRetryable == isRetryable)
    }

    @Test func `takes nothing after a failed fsync until it is opened anew`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        try store.write([TestEvent(id: "1")], position: 1)
        let ioErrorFsync = SQLiteError(code: 10 | 4 << 8, message: "disk I/O error")
        let failure = StorageError(ioErrorFsync, folder.database)
        #expect(failure.code == .syncFailed && !failure.isRetryable)
        try store.writer().note(failure)
        let write = #expect(throws: StorageError.self) {
            try store.write([TestEvent(id: "2")], position: 2)
        }
        #expect(write?.code == .syncFailed)
        // A second fsync would say that all is well, and the journal would let go.
        #expect(throws: StorageError.self) { try store.checkpoint() }
        #expect(store.durablePosition == 0)
        #expect(store.status.isSyncFailed)
        #expect(try store.ids() == ["1"])
        store.close(deadline: soon)
        #expect(store.durablePosition == 0)
        #expect(try folder.read("store.db-wal").count > 0)
        let again = try openStore(folder)
        #expect(again.position == 1 && again.durablePosition == 1)
        try again.write([TestEvent(id: "2")], position: 2)
    }

    @Test func `says what it holds`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        try store.write([TestEvent(id: "1"), TestEvent(id: "2")], position: 12)
        let status = store.status
        #expect(status.rows == 2 && status.lastSeq == 2 && status.position == 12)
        #expect(status.fileBytes > 4096)
        #expect(status.logBytes > 4096)
        #expect(!status.isSyncFailed)
    }
}
