import Glibc
import Primitives
import Storage
import Telemetry
import TestSupport
import Testing

@testable import EventCoding
@testable import Journal

@Suite(.blocking) struct JournalRewritingTests {
    /// Changes `payload` to `PAYLOAD` in records with an even number.
    private static let edit: @Sendable (UnsafeMutableRawBufferPointer) -> Bool = { bytes in
        let text = String(decoding: bytes, as: UTF8.self)
        guard let number = Int(text.split(separator: "-").dropFirst().first ?? ""),
            number.isMultiple(of: 2), text.hasPrefix("p")
        else { return false }
        for index in 0..<7 { bytes[index] -= 32 }
        return true
    }

    private func expected(_ numbers: Range<Int>, changedUpTo end: Int) -> [String] {
        numbers.map { number in
            let text = payload(number, bytes: 1500)
            let isChanged = number.isMultiple(of: 2) && number < end
            return isChanged ? "PAYLOAD" + text.dropFirst(7) : text
        }
    }

    private func commit(_ numbers: Range<Int>, to journal: Journal) {
        for number in numbers {
            let sequence = UInt64(number + 1)
            #expect(
                journal.commit([payload(number, bytes: 1500)])
                    == .committed(first: sequence, last: sequence))
        }
    }

    @Test func `changes records where they are, up to one, and leaves nothing of what was`() throws
    {
        let directory = try TemporaryDirectory()
        var journal = try open(options(directory))
        // Segments are used again, so they hold records of before.
        commit(0..<200, to: journal)
        journal.release(upTo: 150, by: "store")
        commit(200..<300, to: journal)
        let before = JournalReader(journal, from: 200)
        #expect(try before.next(maxRecords: 1).count == 1)
        try journal.rewrite(upTo: 250, Self.edit)
        func check(_ journal: Journal) throws {
            let records = try JournalReader(journal, from: 201).drain()
            #expect(records.map(\.sequence) == (201...300).map { UInt64($0) })
            #expect(records.map(\.payload) == expected(200..<300, changedUpTo: 250))
            let status = journal.status
            #expect(status.damage == JournalDamage() && status.health == .ok)
        }
        try check(journal)
        // Who had a file open goes on with it.
        #expect(try before.drain().count == 100)
        let texts = stride(from: 0, to: 250, by: 2).map { "payload-\($0)-" }
        #expect(FileSearch.find(texts, in: directory.path) == [])
        try journal.rewrite(upTo: 250, Self.edit)
        journal.close()
        journal = try open(options(directory), from: 151)
        try check(journal)
        commit(300..<340, to: journal)
        #expect(try JournalReader(journal, from: 301).drain().count == 40)
        journal.close()
    }

    @Test func `a file with a page that cannot be read is replaced, though nothing is changed`()
        throws
    {
        let directory = try TemporaryDirectory()
        let isBad = Locked(false)
        var faults = JournalFaults.none
        // After the records, where a used-again segment may hold earlier ones.
        faults.read = { _, part in
            part.overlaps(61_440..<65_536) && isBad.withLock { $0 } ? EIO : 0
        }
        faults.readRetryTime = .zero
        let journal = try open(options(directory), faults: faults)
        defer { journal.close() }
        commit(0..<1, to: journal)
        #expect(eventually { journal.status.spareSegments == 1 })
        commit(1..<5, to: journal)
        try journal.rewrite(upTo: 5, Self.edit)
        // The first segment may have grown; a spare has its whole length.
        let name = try #require(
            try Journal.checkOnly(directory: directory.path + "/journal").segments
                .first { $0.records > 0 && directory.size("journal/" + $0.name) == 64 << 10 }?.name)
        func inode() -> UInt {
            var status = stat()
            return stat(directory.path + "/journal/" + name, &status) == 0 ? UInt(status.st_ino) : 0
        }
        let first = inode()
        try journal.rewrite(upTo: 5, Self.edit)
        #expect(inode() == first)
        isBad.withLock { $0 = true }
        try journal.rewrite(upTo: 5, Self.edit)
        #expect(inode() != first)
        let records = try JournalReader(journal, from: 1).drain()
        #expect(records.map(\.payload) == expected(0..<5, changedUpTo: 5))
    }

    @Test func `goes on while records come`() throws {
        let directory = try TemporaryDirectory()
        let journal = try open(options(directory))
        defer { journal.close() }
        let done = Monitor(false)
        let outcomes = Outcomes()
        let thread = Thread(name: "load") {
            for number in 0..<400 {
                journal.submit(
                    batch([payload(number, bytes: 1500)]), completion: outcomes.completion)
                if number % 20 == 0 { sleep(until: .after(.milliseconds(2))) }
            }
            done.change { $0 = true }
        }
        while !done.withLock({ $0 }) {
            try journal.rewrite(upTo: journal.committedSequence, Self.edit)
        }
        thread.join()
        #expect(outcomes.wait(400).count == 400)
        try journal.rewrite(upTo: 400, Self.edit)
        let records = try JournalReader(journal, from: 1).drain()
        #expect(records.map(\.sequence) == (1...400).map { UInt64($0) })
        #expect(records.map(\.payload) == expected(0..<400, changedUpTo: 400))
    }

    @Test func `after a failure only what failed is done again, and nothing of it is used again`()
        throws
    {
        let directory = try TemporaryDirectory()
        let allowed = Locked(1)
        let attempts = Locked<[String]>([])
        let suffix = JournalInventory.temporarySuffix
        // Of the files that are made, those that take the name of another.
        let faults = JournalFaults(create: { path in
            guard path.hasSuffix(suffix), !path.hasSuffix("position" + suffix),
                access(String(path.dropLast(suffix.count)), F_OK) == 0
            else { return 0 }
            attempts.withLock { $0.append(path) }
            return allowed.withLock { allowed in
                allowed -= 1
                return allowed < 0 ? ENOSPC : 0
            }
        })
        let journal = try open(options(directory), faults: faults)
        defer { journal.close() }
        // Segments are used again, so they hold records of before.
        commit(0..<200, to: journal)
        journal.release(upTo: 150, by: "store")
        commit(200..<300, to: journal)
        let progress = RewritingProgress()
        var files: [Int] = []
        for number in 300..<306 {
            #expect(throws: JournalError.self) {
                try journal.rewrite(upTo: 250, progress: progress, Self.edit)
            }
            commit(number..<number + 1, to: journal)
            files.append(FileSystem.names(in: directory.path + "/journal").count)
        }
        // One that was made, and then the same one six times.
        let names = attempts.withLock { $0 }
        #expect(names.count == 7 && Set(names).count == 2)
        // The segment after the first attempt took all six; a spare may have been made since.
        #expect(files[5] <= files[0] + 1, "\(files)")
        journal.release(upTo: 240, by: "store")
        #expect(eventually { journal.status.firstSequence > 151 })
        commit(306..<400, to: journal)
        allowed.withLock { $0 = .max }
        try journal.rewrite(upTo: 250, progress: progress, Self.edit)
        let texts = stride(from: 0, to: 250, by: 2).map { "payload-\($0)-" }
        #expect(FileSearch.find(texts, in: directory.path) == [])
        attempts.withLock { $0 = [] }
        try journal.rewrite(upTo: 250, progress: progress, Self.edit)
        #expect(attempts.withLock { $0 } == [])
        let records = try JournalReader(journal, from: 241).drain()
        #expect(records.map(\.payload) == expected(240..<400, changedUpTo: 250))
    }

    @Test func `an erased event leaves its place and nothing else`() throws {
        var payload = ByteBuffer()
        let names = ["ann", "bob", "ann"].map { Bytes($0) }
        let texts = ["t", "/s", "id", #"{"a":1}"#].map { Bytes($0) }
        for name in names {
            payload.append(
                event: EventRow(
                    identity: .client(texts[2].span), time: 5, type: texts[0].span,
                    source: texts[1].span, subject: name.span, data: texts[3].span, extensions: nil)
            )
        }
        let size = payload.count
        let filter = ErasureFilter(ErasureMatcher(EventFilter(subjects: ["ann"])))
        var bytes = Array(payload.span)
        bytes.withUnsafeMutableBytes { bytes in
            #expect(EventEraser.erase(bytes, filter))
            #expect(!EventEraser.erase(bytes, filter))
            var events = EventPayload(UnsafeRawBufferPointer(bytes))
            let event = try? events.next()
            #expect(event?.subject.map { String(decoding: $0, as: UTF8.self) } == "bob")
            #expect(events.passedCount == 2)
            let next = try? events.next()
            #expect(next == nil)
            #expect(events.passedCount == 3 && events.offset == size)
        }
        #expect(!String(decoding: bytes, as: UTF8.self).contains("ann"))
        withExtendedLifetime((names, texts)) {}
    }
}
