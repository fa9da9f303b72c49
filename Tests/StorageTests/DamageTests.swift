import Glibc
import Primitives
import SQLite
import TestSupport
import Testing

@testable import Storage

@Suite(.blocking) struct DamageTests {
    /// A closed store with events up to position 50, and its bytes.
    private func filled(
        _ folder: TemporaryDirectory, options: EventStoreOptions = EventStoreOptions()
    ) throws -> [UInt8] {
        let store = try openStore(folder, options: options)
        for batch in 1...50 {
            try store.write(
                (0..<100).map { TestEvent(id: "\(batch)-\($0)") }, position: UInt64(batch))
        }
        store.close(deadline: soon)
        return try folder.read("store.db")
    }

    private func open(_ folder: TemporaryDirectory) throws -> EventStore.Opened {
        try EventStore.openSettingAside(path: folder.database, now: 1234, log: .silent)
    }

    @Test(arguments: [1, 17, 100, 512, 4096, 4097, 40_960, 300_000])
    func `sets a truncated file aside and starts anew`(length: Int) throws {
        let folder = try TemporaryDirectory()
        let bytes = try filled(folder)
        #expect(bytes.count > length)
        try folder.write("store.db", Array(bytes[..<length]))
        let opened = try open(folder)
        #expect(opened.setAside == [folder.database + ".damaged-1234"])
        #expect(try folder.read("store.db.damaged-1234").count == length)
        #expect(opened.store.position == 0)
        #expect(opened.store.status.rows == 0)
        try opened.store.write([TestEvent(id: "1")], position: 1)
        #expect(try opened.store.ids() == ["1"])
        opened.store.close(deadline: soon)
        #expect(try open(folder).setAside.isEmpty)
    }

    @Test func `takes an empty file for a new store`() throws {
        let folder = try TemporaryDirectory()
        try folder.write("store.db", [])
        let opened = try open(folder)
        #expect(opened.setAside.isEmpty)
        #expect(opened.store.position == 0)
    }

    @Test func `never crashes on flipped bytes, and finds them in the end`() throws {
        let seed = UInt64.random(in: .min ... .max)
        print("seed \(seed)")
        var random = SeededGenerator(seed: seed)
        let folder = try TemporaryDirectory()
        let bytes = try filled(folder)
        for _ in 0..<50 {
            let copy = try TemporaryDirectory()
            var damaged = bytes
            for _ in 0..<8 {
                let offset = Int.random(in: 0..<damaged.count, using: &random)
                damaged[offset] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            }
            // A flip in the first page too, every other time: that is where all begins.
            if Bool.random(using: &random) {
                damaged[Int.random(in: 0..<200, using: &random)] ^= 255
            }
            try copy.write("store.db", damaged)
            do {
                let opened = try open(copy)
                if !opened.setAside.isEmpty { #expect(opened.store.position == 0) }
                // Writing and reading may meet the damage; they say so and do not crash.
                _ = try? opened.store.write([TestEvent(id: "new")], position: 51)
                _ = try? opened.store.events(EventFilter(), limit: 10_000, deadline: soon)
                opened.store.close(deadline: soon)
            } catch let error as StorageError {
                // The version or the owner was hit: nothing is touched, and a person must look.
                let isExpected = error.code == .newerSchema || error.code == .foreignFile
                #expect(isExpected, "\(error)")
            }
        }
    }

    /// SQLite keeps the text of each CREATE TABLE, without a checksum.
    @Test func `a changed letter in the name of a column is damage`() throws {
        let folder = try TemporaryDirectory()
        var bytes = try filled(folder)
        let name = Array("conditions TEXT".utf8)
        let place = try #require(bytes.indices.first { bytes[$0...].starts(with: name) })
        bytes[place] = UInt8(ascii: "k")
        try folder.write("store.db", bytes)
        let opened = try open(folder)
        #expect(opened.setAside == [folder.database + ".damaged-1234"])
        opened.store.close(deadline: soon)
    }

    @Test func `looks at everything after damage was met in use`() throws {
        let folder = try TemporaryDirectory()
        // Identities are in a file, so that no start reads the rows.
        var options = EventStoreOptions()
        options.identityTableCount = 5000
        var bytes = try filled(folder, options: options)
        #expect(FileSystem.names(in: folder.file("store.db-identity")) == ["0-5000.run"])
        // Pages of events in the middle of the table: the edges are whole.
        for start in stride(from: 4096 * 40, to: min(bytes.count, 4096 * 70), by: 4096) {
            for offset in 0..<200 { bytes[start + offset] = 0xA5 }
        }
        try folder.write("store.db", bytes)
        let first = try open(folder)
        #expect(first.setAside.isEmpty)
        #expect(throws: StorageError.self) {
            _ = try first.store.events(EventFilter(), limit: 10_000, deadline: soon)
        }
        #expect(folder.names.contains("store.db.suspect"))
        first.store.close(deadline: soon)
        let second = try open(folder)
        #expect(second.setAside.first == folder.database + ".damaged-1234")
        #expect(second.store.status.rows == 0)
        #expect(!folder.names.contains("store.db.suspect"))
    }

    @Test
    func `falls back to an earlier state when the log is damaged, never behind the checkpoint`()
        throws
    {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        for batch in 1...10 {
            try store.write([TestEvent(id: "\(batch)")], position: UInt64(batch))
        }
        #expect(try store.checkpoint())
        #expect(store.durablePosition == 10)
        for batch in 11...20 {
            try store.write([TestEvent(id: "\(batch)")], position: UInt64(batch))
        }
        let database = try folder.read("store.db")
        let log = try folder.read("store.db-wal")
        for offset in stride(from: 0, to: log.count, by: 1511) {
            let copy = try TemporaryDirectory()
            try copy.write("store.db", database)
            var damaged = log
            damaged[offset] ^= 0x10
            try copy.write("store.db-wal", damaged)
            let opened = try open(copy)
            #expect(opened.setAside.isEmpty)
            #expect((10...20).contains(opened.store.position))
            #expect(opened.store.status.rows == Int64(opened.store.position))
            #expect(try IntegrityReport(path: copy.database).problems.isEmpty)
            opened.store.close(deadline: soon)
        }
    }

    @Test func `refuses what a later version wrote, and what is not ours`() throws {
        let folder = try TemporaryDirectory()
        _ = try filled(folder)
        do {
            let connection = try Connection(path: folder.database, role: .writer)
            try connection.execute("PRAGMA user_version = 99")
        }
        let before = try folder.read("store.db")
        let newer = #expect(throws: StorageError.self) { _ = try open(folder) }
        #expect(newer?.code == .newerSchema)
        #expect(newer?.message.contains("version 99") == true)
        #expect(try folder.read("store.db").count == before.count)
        #expect(throws: StorageError.self) { _ = try IntegrityReport(path: folder.database) }

        let other = try TemporaryDirectory()
        do {
            let connection = try Connection(path: other.database, role: .writer)
            try connection.execute("CREATE TABLE theirs(x)")
        }
        let foreign = #expect(throws: StorageError.self) { _ = try open(other) }
        #expect(foreign?.code == .foreignFile)
        #expect(other.names == ["store.db"])
    }

    @Test func `reports what a check finds`() throws {
        let folder = try TemporaryDirectory()
        var bytes = try filled(folder)
        let good = try IntegrityReport(path: folder.database)
        #expect(good.problems.isEmpty)
        #expect(good.rows == 5000 && good.position == 50 && good.lastSeq == 5000)
        #expect(good.schemaVersion == Schema.current.version)
        for offset in bytes.count / 2..<bytes.count / 2 + 20_000 { bytes[offset] = 0x77 }
        try folder.write("store.db", bytes)
        let bad = try IntegrityReport(path: folder.database)
        #expect(!bad.problems.isEmpty)
        try folder.write("store.db", Array("not a database, but long enough to look at".utf8))
        #expect(try !IntegrityReport(path: folder.database).problems.isEmpty)
        #expect(throws: StorageError.self) {
            _ = try IntegrityReport(path: folder.path + "/nothing.db")
        }
    }
}
