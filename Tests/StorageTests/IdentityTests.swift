import Glibc
import Primitives
import SQLite
import TestSupport
import Testing

@testable import Storage

/// Identities in files beside the store: each event is stored once, whatever happens to them.
@Suite struct IdentityTests {
    private let folderName = "store.db-identity"

    /// Tables of 64 entries, so that a few hundred events make files and merges.
    private func options(_ tableCount: Int = 64) -> EventStoreOptions {
        var options = EventStoreOptions()
        options.identityTableCount = tableCount
        return options
    }

    /// Has the background make what it has to.
    private func settle(_ store: EventStore) throws {
        let index = try store.writer().identities.index
        // Each file is synced, beside those of all other tests.
        let deadline = Deadline.after(.seconds(300) * slowness)
        repeat {
            try store.maintain(now: .now(), isIdle: true)
            usleep(1000)
        } while !(index.isSettled && index.isWhole) && !deadline.hasPassed
        #expect(index.isSettled && index.isWhole)
    }

    private func runNames(_ folder: TemporaryDirectory) -> [String] {
        FileSystem.names(in: folder.file(folderName)).filter { $0.hasSuffix(".run") }
    }

    /// What a kill leaves: the files as they are, without anything that was in memory.
    private func copy(_ folder: TemporaryDirectory) throws -> TemporaryDirectory {
        let copy = try TemporaryDirectory()
        for name in folder.names where name != folderName && !name.hasSuffix("-shm") {
            try copy.write(name, try folder.read(name))
        }
        mkdir(copy.file(folderName), 0o700)
        for name in FileSystem.names(in: folder.file(folderName)) {
            // It may be renamed or removed meanwhile, as by a kill at that moment.
            if let bytes = FileSystem.read(folder.file(folderName + "/" + name)) {
                try copy.write(folderName + "/" + name, bytes)
            }
        }
        return copy
    }

    private func events(_ range: Range<Int>) -> [TestEvent] {
        range.map { TestEvent(id: $0 % 3 == 0 ? nil : "\($0)", key: UInt64($0)) }
    }

    @Test func `finds an identity again however many came after it`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder, options: options())
        for first in stride(from: 0, to: 5000, by: 50) {
            try store.writeTogether(events(first..<first + 50))
            try store.maintain(now: at, isIdle: false)
        }
        try settle(store)
        #expect(runNames(folder).count < 30)
        for first in stride(from: 0, to: 5000, by: 500) {
            let result = try store.writeTogether(events(first..<first + 500)).result
            #expect(result == .init(inserted: 0, duplicates: 500))
        }
        #expect(store.status.rows == 5000)
        #expect(
            try store.integer("SELECT count(*) FROM sqlite_schema WHERE name = 'event_key'") == 0)
        store.close(deadline: soon)
    }

    @Test func `an identity whose event retention deleted is new again, and only that`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder, options: options())
        let old = (0..<300).map { TestEvent(id: "\($0)") }
        let new = (300..<600).map { TestEvent(id: "\($0)", time: start + 600_000) }
        try store.writeTogether(old + new)
        try settle(store)
        while try !store.retain(after: start + 300_000).isDone {}
        #expect(try store.writeTogether(new).result.duplicates == 300)
        #expect(try store.writeTogether(old).result.inserted == 300)
        #expect(try store.writeTogether(old).result.duplicates == 300)
        try settle(store)
        #expect(try store.writeTogether(old).result.duplicates == 300)
        store.close(deadline: soon)
    }

    @Test func `files of rows that retention deleted go`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder, options: options())
        for first in stride(from: 0, to: 1000, by: 50) {
            try store.writeTogether(events(first..<first + 50))
            try store.maintain(now: at, isIdle: false)
        }
        try settle(store)
        #expect(!runNames(folder).isEmpty)
        while try !store.retain(after: start + 60_000).isDone {}
        try settle(store)
        try settle(store)
        #expect(runNames(folder).isEmpty)
        store.close(deadline: soon)
    }

    @Test func `entries of deleted rows go, though rows around them stay`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder, options: options())
        let all = (0..<5000).map { number in
            TestEvent(id: "\(number)", time: number % 10 == 0 ? start + 600_000 : start)
        }
        for first in stride(from: 0, to: 5000, by: 50) {
            try store.writeTogether(Array(all[first..<first + 50]))
            try store.maintain(now: at, isIdle: false)
        }
        try settle(store)
        let index = try store.writer().identities.index
        #expect(index.entryCount > 4900)
        while try !store.retain(after: start + 300_000).isDone {}
        #expect(store.status.rows == 500)
        try settle(store)
        #expect(index.entryCount <= 2 * 500 + 4 * 64)
        // Nothing is written again and again.
        try store.maintain(now: .now(), isIdle: true)
        #expect(index.isSettled)
        let kept = all.filter { $0.time > start }
        #expect(try store.writeTogether(kept).result.duplicates == 500)
        #expect(try store.writeTogether(all).result == .init(inserted: 4500, duplicates: 500))
        store.close(deadline: soon)
    }

    @Test(arguments: ["truncated", "flipped", "missing", "foreign", "empty"])
    func `a file that is not what was written is made again from the rows`(_ damage: String) throws
    {
        var random = SeededGenerator.printingSeed("identity file \(damage)")
        let folder = try TemporaryDirectory()
        var store = try openStore(folder, options: options(512))
        for first in stride(from: 0, to: 4000, by: 100) {
            try store.writeTogether(events(first..<first + 100))
            try store.maintain(now: at, isIdle: false)
        }
        try settle(store)
        store.close(deadline: soon)
        let names = runNames(folder)
        #expect(!names.isEmpty)
        for name in names {
            let path = folder.file(folderName + "/" + name)
            var bytes = try #require(FileSystem.read(path))
            switch damage {
            case "truncated": bytes.removeLast(Int.random(in: 1..<bytes.count, using: &random))
            case "flipped":
                for _ in 0..<4 {
                    bytes[Int.random(in: 0..<bytes.count, using: &random)] ^= 1
                }
            case "foreign": bytes = Array(repeating: 7, count: bytes.count)
            case "empty": bytes = []
            default:
                unlink(path)
                continue
            }
            try FileSystem.write(bytes, to: path)
        }
        store = try openStore(folder, options: options(512))
        for first in stride(from: 0, to: 4000, by: 100) {
            // A block that is found damaged in use: the transaction is refused once, not wrong.
            var result: EventStore.WriteResult?
            for _ in 0..<10 where result == nil {
                do throws(StorageError) {
                    result = try store.writeTogether(events(first..<first + 100)).result
                } catch {
                    #expect(error.code == .busy)
                    try store.maintain(now: at, isIdle: true)
                }
            }
            #expect(result == .init(inserted: 0, duplicates: 100))
        }
        #expect(store.status.rows == 4000)
        store.close(deadline: soon)
    }

    /// The rows went back to an earlier commit, as a power failure does, or to a copy: the events that
    /// come next get numbers that a file already speaks of.
    @Test func `a file that is newer than the rows takes no event for a duplicate`() throws {
        let folder = try TemporaryDirectory()
        var store = try openStore(folder, options: options())
        try store.writeTogether(events(0..<100))
        store.close(deadline: soon)
        let earlier = try folder.read("store.db")
        store = try openStore(folder, options: options())
        try store.writeTogether(events(100..<400))
        try settle(store)
        store.close(deadline: soon)
        #expect(!runNames(folder).isEmpty)
        try folder.write("store.db", earlier)
        store = try openStore(folder, options: options())
        #expect(try store.writeTogether(events(1000..<1400)).result.inserted == 400)
        #expect(try store.writeTogether(events(0..<400)).result.inserted == 300)
        #expect(try store.writeTogether(events(0..<400)).result.duplicates == 400)
        store.close(deadline: soon)
    }

    @Test func `a file of another past is of no use, though its numbers fit`() throws {
        let folder = try TemporaryDirectory()
        var store = try openStore(folder, options: options())
        try store.writeTogether(events(0..<10))
        store.close(deadline: soon)
        let earlier = try folder.read("store.db")
        store = try openStore(folder, options: options())
        try store.writeTogether(events(10..<200))
        try settle(store)
        store.close(deadline: soon)
        let kept = runNames(folder).map {
            ($0, FileSystem.read(folder.file(folderName + "/" + $0)))
        }
        try folder.write("store.db", earlier)
        store = try openStore(folder, options: options(10_000))
        try store.writeTogether(events(1000..<1400))
        store.close(deadline: soon)
        for (name, bytes) in kept {
            try folder.write(folderName + "/" + name, try #require(bytes))
        }
        store = try openStore(folder, options: options(10_000))
        #expect(try store.writeTogether(events(10..<200)).result.inserted == 190)
        #expect(try store.writeTogether(events(1000..<1400)).result.duplicates == 400)
        store.close(deadline: soon)
    }

    @Test func `a store set aside leaves no identities to the one that takes its place`() throws {
        let folder = try TemporaryDirectory()
        var store = try openStore(folder, options: options())
        try store.writeTogether(events(0..<200))
        try settle(store)
        store.close(deadline: soon)
        for suffix in ["", "-wal", "-shm"] { unlink(folder.database + suffix) }
        store = try openStore(folder, options: options())
        #expect(try store.writeTogether(events(0..<200)).result.inserted == 200)
        store.close(deadline: soon)
    }

    /// Makes of a closed store what the release before this index would have left.
    private func takeBack(_ folder: TemporaryDirectory) throws {
        let old = try Connection(path: folder.database, role: .writer)
        try old.execute("CREATE UNIQUE INDEX event_key ON event_rows(key)")
        try old.execute("ALTER TABLE generations DROP COLUMN set_hash")
        try old.execute("DELETE FROM meta WHERE key LIKE 'set_hash%'")
        try old.execute(
            "DROP TABLE rollup_names; DROP TABLE rollup_rows; DROP TABLE rollup_buckets;"
                + "DROP TABLE generation_days")
        try old.execute("DROP TABLE erasures; DROP TABLE erased_identities")
        try old.execute("PRAGMA user_version = 3")
        FileSystem.remove(folder.file(folderName))
    }

    @Test(arguments: [Int64(0), 1 << 20])
    func `a store of version 3 moves its identities while it serves`(rowsAtOpen: Int64) throws {
        let folder = try TemporaryDirectory()
        var store = try openStore(folder)
        for first in stride(from: 0, to: 50_000, by: 10_000) {
            try store.writeTogether(events(first..<first + 10_000))
        }
        store.close(deadline: soon)
        try takeBack(folder)
        var chosen = options(1 << 14)
        chosen.identityRowsAtOpen = rowsAtOpen
        store = try openStore(folder, options: chosen)
        #expect(store.isReadyToWrite)
        let hasKeyIndex = "SELECT count(*) FROM sqlite_schema WHERE name = 'event_key'"
        #expect(try store.integer(hasKeyIndex) == (rowsAtOpen == 0 ? 1 : 0))
        var next = 50_000
        repeat {
            let repeated = Int.random(in: 0..<next - 100)
            let old = try store.writeTogether(events(repeated..<repeated + 100)).result
            #expect(old == .init(inserted: 0, duplicates: 100))
            #expect(try store.writeTogether(events(next..<next + 50)).result.inserted == 50)
            next += 50
            try store.maintain(now: at, isIdle: false)
        } while store.hasUrgentChore
        try settle(store)
        #expect(try store.integer(hasKeyIndex) == 0)
        for first in stride(from: 0, to: 50_000, by: 5000) {
            #expect(try store.writeTogether(events(first..<first + 5000)).result.inserted == 0)
        }
        #expect(store.status.rows == Int64(next))
        store.close(deadline: soon)
    }

    @Test func `nothing is stored while identities are missing, and chores bring them back`() throws
    {
        let folder = try TemporaryDirectory()
        var store = try openStore(folder)
        try store.writeTogether(events(0..<1000))
        store.close(deadline: soon)
        FileSystem.remove(folder.file(folderName))
        var chosen = options(64)
        chosen.identityRowsAtOpen = 0
        store = try openStore(folder, options: chosen)
        #expect(!store.isReadyToWrite)
        #expect(store.hasUrgentChore)
        try store.maintain(now: at, isIdle: false)
        #expect(!store.isReadyToWrite)
        while !store.isReadyToWrite { try store.maintain(now: at, isIdle: false) }
        #expect(try store.writeTogether(events(0..<1000)).result.duplicates == 1000)
        store.close(deadline: soon)
    }

    @Test func `a damaged run is read again whole, also where an earlier gap ended in it`() throws {
        var folder = try TemporaryDirectory()
        var store = try openStore(folder, options: options())
        try store.writeTogether(events(0..<40))
        let killed = try copy(folder)
        store.close(deadline: soon)
        folder = killed
        // These 40 are read again into memory, and become a run together with those after them.
        store = try openStore(folder, options: options())
        try store.writeTogether(events(40..<100))
        try settle(store)
        let name = try #require(runNames(folder).first)
        try flipByte(of: folder.file(folderName + "/" + name), at: 4096 + 100)
        #expect(try write(store, events(0..<100)) == .init(inserted: 0, duplicates: 100))
        store.close(deadline: soon)
    }

    /// In place: the store has the file open.
    private func flipByte(of path: String, at offset: Int) throws {
        let descriptor = open(path, O_RDWR)
        defer { close(descriptor) }
        var byte: UInt8 = 0
        try #require(pread(descriptor, &byte, 1, off_t(offset)) == 1)
        byte ^= 0x40
        try #require(pwrite(descriptor, &byte, 1, off_t(offset)) == 1)
    }

    /// Batches of new events and of those that came before, rollbacks, retention, kills at any moment,
    /// and damage to files, beside a set that knows what is right.
    @Test(arguments: 0..<6)
    func `stores every event once through any history`(_ series: Int) throws {
        var random = SeededGenerator.printingSeed("identity history \(series)")
        var folder = try TemporaryDirectory()
        var store = try openStore(folder, options: options())
        var stored: Set<Int> = []
        var next = 0
        for _ in 0..<150 {
            switch Int.random(in: 0..<20, using: &random) {
            case 0..<12:
                let batch = anyBatch(&next, &random)
                let expected = Set(batch).subtracting(stored).count
                let result = try write(store, batch.map(event))
                #expect(
                    result == .init(inserted: expected, duplicates: batch.count - expected))
                stored.formUnion(batch)
            case 12, 13:
                let rows = anyBatch(&next, &random).map { HeldRow(event($0)) }
                #expect(throws: StorageError.self) {
                    try store.write(position: nil) { (inserter) throws(StorageError) in
                        for row in rows { try inserter.add(row.row) }
                        _ = try inserter.flush()
                        throw StorageError(.misuse, "the test stops here")
                    }
                }
            case 14:
                let minute = Int64.random(in: 0..<10, using: &random)
                while try !store.retain(after: start + minute * 60_000, limit: 200).isDone {}
                stored = stored.filter { event($0).time >= start + minute * 60_000 }
            case 15, 16:
                let killed = try copy(folder)
                store.close(deadline: soon)
                folder = killed
                if Bool.random(using: &random) { try damageAny(folder, &random) }
                store = try openStore(folder, options: options())
            case 17: try settle(store)
            default: try store.maintain(now: at, isIdle: Bool.random(using: &random))
            }
        }
        try settle(store)
        #expect(store.status.rows == Int64(stored.count))
        #expect(try store.integer("SELECT count(*) FROM event_rows") == Int64(stored.count))
        #expect(
            try store.integer("SELECT count(DISTINCT key) FROM event_rows") == Int64(stored.count))
        store.close(deadline: soon)
    }

    private func event(_ number: Int) -> TestEvent {
        TestEvent(
            id: number % 3 == 0 ? nil : "\(number)", key: UInt64(number),
            time: start + Int64(number % 10) * 60_000)
    }

    /// New events, and some that came before, near and far.
    private func anyBatch(_ next: inout Int, _ random: inout SeededGenerator) -> [Int] {
        (0..<Int.random(in: 1...200, using: &random)).map { _ in
            if next > 0, Int.random(in: 0..<3, using: &random) == 0 {
                return Int.random(in: 0..<next, using: &random)
            }
            next += 1
            return next - 1
        }
    }

    /// As the writer's thread does: what is refused for damaged identities comes again.
    private func write(
        _ store: EventStore, _ events: [TestEvent]
    ) throws -> EventStore.WriteResult {
        for _ in 0..<100 {
            do throws(StorageError) { return try store.writeTogether(events).result } catch {
                guard error.code == .busy else { throw error }
            }
        }
        throw TestError("the store stays busy")
    }

    private func damageAny(
        _ folder: TemporaryDirectory, _ random: inout SeededGenerator
    ) throws {
        guard let name = runNames(folder).randomElement(using: &random) else { return }
        let path = folder.file(folderName + "/" + name)
        guard var bytes = FileSystem.read(path), !bytes.isEmpty else { return }
        switch Int.random(in: 0..<3, using: &random) {
        case 0: unlink(path)
        case 1: try FileSystem.write(bytes.prefix(bytes.count / 2), to: path)
        default:
            bytes[Int.random(in: 0..<bytes.count, using: &random)] ^= 0x40
            try FileSystem.write(bytes, to: path)
        }
    }
}
