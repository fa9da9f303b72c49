import Glibc
import Primitives
import Telemetry
import TestSupport
import Testing

@testable import Journal

@Suite(.blocking) struct JournalRecoveryTests {
    /// Eight small records in one growing segment, and the bytes of its file.
    private struct Sample {
        let directory: TemporaryDirectory
        let payloads = (1...8).map { payload($0) }
        let name = "000000000001.segment"
        let bytes: [UInt8]

        init() throws {
            directory = try TemporaryDirectory()
            let journal = try open(options(directory))
            _ = journal.commit(payloads)
            journal.close()
            let inner = "journal/" + name
            // A spare may be there by now; these tests are about the one segment.
            for other in FileSystem.names(in: directory.path + "/journal") where other != name {
                unlink(directory.path + "/journal/" + other)
            }
            bytes = try directory.read(inner)
        }

        var records: [ReadRecord] {
            payloads.enumerated().map { ReadRecord(sequence: UInt64($0 + 1), payload: $1) }
        }

        /// A folder with nothing but this as its segment.
        func opened(with bytes: [UInt8]) throws -> (TemporaryDirectory, Journal) {
            let copy = try TemporaryDirectory()
            mkdir(copy.path + "/journal", 0o700)
            try copy.write("journal/" + name, bytes)
            return (copy, try open(options(copy)))
        }
    }

    @Test func `a segment truncated at any byte serves the whole records before`() throws {
        let sample = try Sample()
        for length in 0...sample.bytes.count {
            let (directory, journal) = try sample.opened(with: Array(sample.bytes[..<length]))
            let records = try JournalReader(journal, from: 1).drain()
            #expect(records == Array(sample.records[..<records.count]), "length \(length)")
            if length == sample.bytes.count { #expect(records == sample.records) }
            let next = UInt64(records.count + 1)
            #expect(journal.commit(["after"]) == .committed(first: next, last: next))
            let after = records + [ReadRecord(sequence: next, payload: "after")]
            #expect(try JournalReader(journal, from: 1).drain() == after, "length \(length)")
            journal.close()
            let again = try open(options(directory))
            #expect(try JournalReader(again, from: 1).drain() == after, "length \(length)")
            again.close()
        }
    }

    @Test func `a bit flipped anywhere costs one record at most and invents none`() throws {
        let sample = try Sample()
        var reported = 0
        for index in sample.bytes.indices {
            var bytes = sample.bytes
            bytes[index] ^= UInt8(1) << UInt8(index % 8)
            let (directory, journal) = try sample.opened(with: bytes)
            let records = try JournalReader(journal, from: 1).drain()
            let damage = journal.status.damage
            #expect(records.allSatisfy { sample.records.contains($0) }, "byte \(index)")
            #expect(records.count >= sample.records.count - 1, "byte \(index)")
            if records.count < sample.records.count {
                reported += 1
                let counted = damage.damagedRecords + damage.missingRecords + damage.tailRecords
                #expect(counted == 1, "byte \(index)")
                let isTail = records == Array(sample.records.dropLast())
                #expect(damage.setAside == (isTail ? [] : [sample.name]), "byte \(index)")
            }
            // What is written now must come out beside what was saved.
            let next = UInt64(journal.status.nextSequence)
            #expect(journal.commit(["after"]) == .committed(first: next, last: next))
            journal.close()
            let again = try open(options(directory))
            let after = records + [ReadRecord(sequence: next, payload: "after")]
            #expect(try JournalReader(again, from: 1).drain() == after, "byte \(index)")
            again.close()
        }
        #expect(reported > sample.records.count * 32)
    }

    @Test func `both copies of the header lost, the records still count`() throws {
        let directory = try TemporaryDirectory()
        let journal = try open(options(directory))
        for number in 0..<120 { _ = journal.commit([payload(number, bytes: 1500)]) }
        let expected = try JournalReader(journal, from: 1).drain()
        journal.close()
        let name = try #require(directory.segmentNames.dropFirst().first)
        for offset in [0, 512] { try directory.poke("journal/" + name, at: offset, 0) }
        let again = try open(options(directory))
        defer { again.close() }
        #expect(try JournalReader(again, from: 1).drain() == expected)
        #expect(again.status.damage.setAside == [name])
    }

    @Test func `a segment lost in the middle is a gap and the rest is served`() throws {
        let directory = try TemporaryDirectory()
        let journal = try open(options(directory))
        for number in 0..<200 { _ = journal.commit([payload(number, bytes: 1500)]) }
        let all = try JournalReader(journal, from: 1).drain()
        journal.close()
        let check = try Journal.checkOnly(directory: options(directory).directory)
        #expect(check.isSound && check.segments.count > 3)
        #expect(check.segments.reduce(0) { $0 + $1.records } == 200)
        let lost = check.segments[1]
        unlink(directory.path + "/journal/" + lost.name)
        #expect(!(try Journal.checkOnly(directory: options(directory).directory)).isSound)
        let again = try open(options(directory))
        defer { again.close() }
        let reader = JournalReader(again, from: 1)
        let left = all.filter { !(lost.first..<lost.end).contains($0.sequence) }
        #expect(try reader.drain() == left)
        #expect(reader.missingRecords == lost.end - lost.first)
        #expect(again.status.damage.missingRecords == lost.end - lost.first)
        #expect(again.commit(["after"]) == .committed(first: 201, last: 201))
    }

    @Test func `a segment removed while it runs is a gap too`() throws {
        let directory = try TemporaryDirectory()
        let journal = try open(options(directory))
        defer { journal.close() }
        for number in 0..<200 { _ = journal.commit([payload(number, bytes: 1500)]) }
        let segments = try Journal.checkOnly(directory: options(directory).directory).segments
        unlink(directory.path + "/journal/" + segments[2].name)
        let reader = JournalReader(journal, from: 1)
        let lost = segments[2].end - segments[2].first
        #expect(try reader.drain().count == 200 - Int(lost))
        #expect(reader.missingRecords == lost)
        #expect(journal.status.damage.missingRecords == lost)
    }

    @Test func `strange files are left alone or set aside, and it starts`() throws {
        let sample = try Sample()
        let (directory, first) = try sample.opened(with: sample.bytes)
        first.close()
        try directory.write("journal/notes.txt", Array("hello".utf8))
        try directory.write("journal/12.segment", Array("hello".utf8))
        try directory.write("journal/000000000777.segment", [UInt8](repeating: 7, count: 5000))
        try directory.write("journal/000000000778.segment", [])
        try directory.write("journal/000000000779.segment", [UInt8](repeating: 0, count: 5000))
        try directory.write("journal/000000000780.segment.tmp", [1, 2, 3])
        try directory.write("journal/position", Array("nonsense".utf8))
        mkdir(directory.path + "/journal/000000000781.segment", 0o700)
        let journal = try open(options(directory))
        defer { journal.close() }
        #expect(try JournalReader(journal, from: 1).drain() == sample.records)
        let names = FileSystem.names(in: directory.path + "/journal")
        #expect(names.contains("notes.txt") && names.contains("12.segment"))
        #expect(!names.contains { $0.hasPrefix("00000000077") || $0.hasSuffix(".tmp") })
        #expect(
            FileSystem.names(in: directory.path + "/journal/damaged").contains(
                "000000000777.segment"))
        #expect(journal.commit(["after"]) == .committed(first: 9, last: 9))
    }

    @Test func `a damaged segment is linked aside once and never written again`() throws {
        let directory = try TemporaryDirectory()
        let journal = try open(options(directory))
        for number in 0..<40 { _ = journal.commit([payload(number, bytes: 400)]) }
        journal.close()
        // One that has a single record would end with it: what is damaged there was never whole.
        let segments = try Journal.checkOnly(directory: options(directory).directory).segments
        let name = try #require(segments.last { $0.records > 1 }?.name)
        let before = try directory.read("journal/" + name)
        // Eight in a row: a header's checksum or time may hold one by chance, and loses nothing by it.
        let letters = [UInt8](repeating: UInt8(ascii: "x"), count: 8)
        let target = try #require(
            before.indices.first { before[$0...].prefix(letters.count).elementsEqual(letters) })
        try directory.poke("journal/" + name, at: target, 0)
        for round in 0..<3 {
            let again = try open(options(directory))
            _ = again.commit(["round \(round)"])
            #expect(again.status.damage.damagedRecords == 1)
            again.close()
        }
        #expect(FileSystem.names(in: directory.path + "/journal/damaged") == [name])
        #expect(try directory.read("journal/damaged/" + name).count == before.count)
        let again = try open(options(directory))
        defer { again.close() }
        #expect(try JournalReader(again, from: 1).drain().count == 42)
    }

    @Test func `files that changed names are put in order by what they say`() throws {
        let directory = try TemporaryDirectory()
        let journal = try open(options(directory))
        for number in 0..<200 { _ = journal.commit([payload(number, bytes: 1500)]) }
        let expected = try JournalReader(journal, from: 1).drain()
        journal.close()
        let names = try directory.segmentNames
        let folder = options(directory).directory + "/"
        rename(folder + names[0], folder + "swap")
        rename(folder + names[2], folder + names[0])
        rename(folder + "swap", folder + names[2])
        // And one of them is there twice.
        try directory.write("journal/000000000900.segment", directory.read("journal/" + names[1]))
        let again = try open(options(directory))
        defer { again.close() }
        #expect(try JournalReader(again, from: 1).drain() == expected)
        #expect(again.status.damage.setAside.count == 1)
        #expect(again.status.damage.missingRecords == 0)
    }

    @Test func `a sector that cannot be read costs what lay in it`() throws {
        let directory = try TemporaryDirectory()
        let journal = try open(options(directory))
        for number in 0..<200 { _ = journal.commit([payload(number, bytes: 1500)]) }
        let all = try JournalReader(journal, from: 1).drain()
        journal.close()
        // Where a spare was late, a segment that grew beside it may hold but a few records.
        let segments = try Journal.checkOnly(directory: directory.path + "/journal").segments
        let bad = try #require(segments.dropFirst().first { $0.records >= 20 }?.name)
        var faults = JournalFaults.none
        faults.read = { path, part in
            path.hasSuffix(bad) && part.overlaps(8192..<12288) ? EIO : 0
        }
        faults.readRetryTime = .zero
        let again = try open(options(directory), faults: faults)
        defer { again.close() }
        let reader = JournalReader(again, from: 1)
        let records = try reader.drain()
        #expect(records.allSatisfy { all.contains($0) })
        #expect((195..<200).contains(records.count))
        let lost = UInt64(200 - records.count)
        #expect(reader.damagedRecords + reader.missingRecords == lost)
        let damage = again.status.damage
        #expect(damage.damagedRecords + damage.missingRecords == lost)
        #expect(damage.setAside == [bad])
    }

    /// Writes a journal; some 40 records fill a segment.
    /// - Returns: the newest segment with any of them, and what is read of it all.
    private func written(
        _ directory: TemporaryDirectory, records count: Int = 20
    ) throws -> (name: String, records: [ReadRecord]) {
        let journal = try open(options(directory))
        for number in 0..<count { _ = journal.commit([payload(number, bytes: 1500)]) }
        let records = try JournalReader(journal, from: 1).drain()
        journal.close()
        let segments = try Journal.checkOnly(directory: directory.path + "/journal").segments
        return (try #require(segments.last { $0.records > 0 }?.name), records)
    }

    @Test func `a disk that cannot be read for a moment costs nothing`() throws {
        let directory = try TemporaryDirectory()
        let (_, all) = try written(directory)
        let failures = Counter()
        var faults = JournalFaults.none
        faults.read = { _, part in
            guard part.overlaps(8192..<12288), failures.count < 4 else { return 0 }
            failures.add()
            return EIO
        }
        let again = try open(options(directory), faults: faults)
        defer { again.close() }
        #expect(try JournalReader(again, from: 1).drain() == all)
        #expect(failures.count == 4)
        #expect(again.status.damage.setAside.isEmpty)
    }

    @Test func `an open journal waits for a disk that cannot be read`() throws {
        let directory = try TemporaryDirectory()
        let (_, all) = try written(directory)
        let isAway = Locked(false)
        var faults = JournalFaults.none
        faults.read = { _, _ in isAway.withLock { $0 } ? EIO : 0 }
        let journal = try open(options(directory), faults: faults)
        defer { journal.close() }
        isAway.withLock { $0 = true }
        let reader = JournalReader(journal, from: 1)
        for _ in 0..<3 {
            let error = #expect(throws: JournalError.self) { _ = try reader.next() }
            #expect(error?.code == .unreadable)
        }
        isAway.withLock { $0 = false }
        #expect(try reader.drain() == all)
        #expect(reader.lostRecords == 0)
    }

    @Test func `a segment that cannot be read at all is kept`() throws {
        let directory = try TemporaryDirectory()
        let (name, _) = try written(directory)
        let bytes = try directory.read("journal/" + name)
        // Something of this name was set aside before.
        mkdir(directory.path + "/journal/damaged", 0o700)
        try directory.write("journal/damaged/" + name, [1, 2, 3])
        var faults = JournalFaults.none
        faults.read = { path, _ in path.hasSuffix(name) ? EIO : 0 }
        try open(options(directory), faults: faults).close()
        #expect(try directory.read("journal/damaged/" + name) == [1, 2, 3])
        #expect(try directory.read("journal/damaged/" + name + ".1") == bytes)
    }

    @Test func `what is written after headers could not be read stays`() throws {
        let directory = try TemporaryDirectory()
        let (_, all) = try written(directory, records: 150)
        let first = try #require(try directory.segmentNames.first)
        var faults = JournalFaults.none
        faults.read = { path, part in
            part.lowerBound == 0 && !path.hasSuffix(first) ? EIO : 0
        }
        var journal = try open(options(directory), faults: faults)
        guard case .committed = journal.commit(["new"]) else {
            Issue.record("nothing can be committed")
            return
        }
        journal.close()
        journal = try open(options(directory))
        defer { journal.close() }
        let records = try JournalReader(journal, from: 1).drain()
        #expect(records.map(\.payload) == all.map(\.payload) + ["new"])
    }

    @Test func `nothing is written over an end that cannot be read`() throws {
        let directory = try TemporaryDirectory()
        let (name, _) = try written(directory)
        let bytes = try directory.read("journal/" + name)
        var faults = JournalFaults.none
        faults.read = { path, part in path.hasSuffix(name) && part.upperBound > 4096 ? EIO : 0 }
        let journal = try open(options(directory), faults: faults)
        #expect(journal.status.damage.setAside == [name])
        guard case .committed = journal.commit(["new"]) else {
            Issue.record("nothing can be committed")
            return
        }
        journal.close()
        #expect(try directory.read("journal/damaged/" + name) == bytes)
    }

    @Test func `what fails for too long is given up`() {
        let policy = ReadRetryPolicy(servingTime: .milliseconds(50))
        policy.startServing()
        func isRetried(_ offset: Int) -> Bool {
            if case .fail = policy.failed("a", at: offset) { true } else { false }
        }
        #expect(isRetried(0))
        #expect(eventually { !isRetried(0) })
        // Another page of it is not waited for, and another outage is.
        #expect(!isRetried(4096))
        policy.succeeded("a", 0..<4096)
        #expect(isRetried(4096))
        policy.forget("a")
        #expect(isRetried(0))
    }

    @Test func `a segment that may not be opened is the operator's to mend`() throws {
        let directory = try TemporaryDirectory()
        let journal = try open(options(directory))
        _ = journal.commit(["a"])
        journal.close()
        let name = try #require(try directory.segmentNames.first)
        let folder = options(directory).directory + "/"
        rename(folder + name, folder + "kept")
        symlink("kept", folder + name)
        let error = #expect(throws: JournalError.self) { _ = try open(options(directory)) }
        #expect(error?.code == .unreadable)
        #expect(FileSystem.names(in: folder).contains(name))
    }

    @Test func `a payload cannot pose as a record behind damage`() throws {
        let directory = try TemporaryDirectory()
        let journal = try open(options(directory))
        // A whole record as someone without the salt can make it.
        let forged = batch([payload(666)])
        _ = forged.number(from: 3, salt: 0)
        let carrier = JournalBatch()
        carrier.beginRecord()
        carrier.bytes.append(forged.bytes.span)
        carrier.endEvent()
        carrier.endRecord()
        let outcomes = Outcomes()
        _ = journal.commit(["before"])
        journal.submit(carrier, completion: outcomes.completion)
        #expect(outcomes.wait(1) == [.committed(first: 2, last: 2)])
        _ = journal.commit(["third"])
        journal.close()
        let name = try #require(directory.segmentNames.first)
        let start = JournalSegmentHeader.bytes + 40  // The carrier's header.
        try directory.poke("journal/" + name, at: start, 0)
        let again = try open(options(directory))
        defer { again.close() }
        #expect(try JournalReader(again, from: 1).drain().map(\.payload) == ["before", "third"])
    }
}

extension TemporaryDirectory {
    /// Segments that hold records, oldest first.
    var segmentNames: [String] {
        get throws {
            try Journal.checkOnly(directory: path + "/journal").segments.map(\.name)
        }
    }
}
