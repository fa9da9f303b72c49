import Glibc
import Primitives
import Telemetry
import TestSupport
import Testing

@testable import Journal

@Suite(.blocking) struct JournalRetentionTests {
    /// Commits `count` records of 1,500 bytes: some forty fill a segment.
    private func fill(_ journal: Journal, _ count: Int) -> [JournalOutcome] {
        (0..<count).map { journal.commit([payload($0, bytes: 1500)]) }
    }

    @Test func `refuses at its cap, drops nothing, and goes on after a release`() throws {
        let directory = try TemporaryDirectory()
        var options = options(directory)
        options.maxBytes = 512 << 10
        let journal = try open(options)
        defer { journal.close() }
        let outcomes = fill(journal, 400)
        let taken = outcomes.filter { $0 != .full }.count
        #expect(taken > 200 && taken < 400)
        #expect(outcomes[taken...].allSatisfy { $0 == .full })
        #expect(journal.status.health == .full)
        #expect(journal.status.retainedBytes <= options.maxBytes)
        #expect(try JournalReader(journal, from: 1).drain().count == taken)
        journal.release(upTo: UInt64(taken), by: "store")
        #expect(eventually { journal.status.health == .ok })
        let next = UInt64(taken + 1)
        #expect(journal.commit(["after"]) == .committed(first: next, last: next))
        #expect(try JournalReader(journal, from: next).drain().map(\.payload) == ["after"])
    }

    @Test func `segments are used again and their old records never come back`() throws {
        let directory = try TemporaryDirectory()
        let journal = try open(options(directory))
        var next: UInt64 = 1
        for _ in 0..<60 {
            for outcome in fill(journal, 15) {
                #expect(outcome == .committed(first: next, last: next))
                next += 1
            }
            let records = try JournalReader(journal, from: next - 15).drain()
            #expect(records.map(\.sequence) == Array(next - 15..<next))
            journal.release(upTo: next - 1, by: "store")
            #expect(eventually { journal.status.segments <= 2 })
            // The next round finds a released segment ready, or it makes a new one: now and then one
            // is removed instead, as a reader is still in it. How many were made is asked below.
            _ = eventually(within: .seconds(1)) { journal.status.spareSegments > 0 }
        }
        let status = journal.status
        #expect(status.bytesOnDisk <= 6 * (64 << 10))
        #expect(status.damage == JournalDamage())
        journal.close()
        let inventory = try JournalInventory(
            JournalDirectory(path: options(directory).directory))
        // Fewer files were made than segments were used, by far.
        #expect(inventory.nextNumber * 3 < inventory.nextOrdinal * 2)
        try flipEndOfNewest(directory, next: next)
    }

    /// With the last records' headers gone, a reader searches what an older use left behind them.
    private func flipEndOfNewest(_ directory: TemporaryDirectory, next: UInt64) throws {
        let name = "journal/" + (try #require(try directory.segmentNames.last))
        let bytes = try directory.read(name)
        let magic: [UInt8] = [0x4D, 0x52, 0x4A, 0x31]
        for offset in stride(from: JournalSegmentHeader.bytes, to: bytes.count - 32, by: 8)
        where Array(bytes[offset..<offset + 4]) == magic {
            let sequence = bytes[offset + 16..<offset + 24].reversed().reduce(UInt64(0)) {
                $0 << 8 | UInt64($1)
            }
            if sequence + 3 >= next { try directory.poke(name, at: offset + 20, 0xFF) }
        }
        let again = try open(options(directory))
        defer { again.close() }
        let records = try JournalReader(again, from: 1).drain()
        #expect(records.map(\.sequence).max() ?? 0 < next)
        #expect(records.map(\.sequence) == records.map(\.sequence).sorted())
        #expect(Set(records.map(\.sequence)).count == records.count)
        let sequence = again.status.nextSequence
        #expect(again.commit(["new"]) == .committed(first: sequence, last: sequence))
        #expect(try JournalReader(again, from: sequence).drain().map(\.payload) == ["new"])
    }

    @Test func `nothing goes before every consumer has it`() throws {
        let directory = try TemporaryDirectory()
        let journal = try Journal(
            options: options(directory), consumers: ["store", "forwarder"], log: .silent)
        defer { journal.close() }
        _ = fill(journal, 200)
        let segments = journal.status.segments
        journal.release(upTo: 200, by: "store")
        #expect(journal.status.segments == segments)
        #expect(try JournalReader(journal, from: 1).drain().count == 200)
        journal.release(upTo: 100, by: "forwarder")
        #expect(eventually { journal.status.firstSequence > 1 })
        #expect(journal.status.firstSequence <= 101)
        #expect(try JournalReader(journal, from: 101).drain().count == 100)
        #expect(journal.status.released == ["store": 200, "forwarder": 100])
    }

    @Test func `released segments are kept for sending again as far as asked`() throws {
        let directory = try TemporaryDirectory()
        var options = options(directory)
        options.retainBytes = 130 << 10
        options.maxBytes = 300 << 10
        let journal = try open(options)
        defer { journal.close() }
        var next: UInt64 = 1
        for _ in 0..<30 {
            for outcome in fill(journal, 20) where outcome != .full { next += 1 }
            journal.release(upTo: next - 1, by: "store")
            #expect(eventually { journal.status.health == .ok })
        }
        #expect(next == 601)
        let kept = try JournalReader(journal, from: 1).drain()
        #expect(kept.count >= 20 && kept.last?.sequence == 600)
        #expect(journal.status.damage == JournalDamage())
    }

    @Test func `a crash between two removals does not look like a loss`() throws {
        let directory = try TemporaryDirectory()
        let journal = try open(options(directory))
        _ = fill(journal, 250)
        journal.close()
        let segments = try Journal.checkOnly(directory: options(directory).directory).segments
        let floor = segments[2].end - 1
        try JournalPosition.write(
            floor, in: JournalDirectory(path: options(directory).directory))
        unlink(directory.path + "/journal/" + segments[1].name)
        let again = try open(options(directory))
        defer { again.close() }
        #expect(again.status.damage == JournalDamage())
        #expect(
            try JournalReader(again, from: floor + 1).drain().map(\.sequence)
                == Array(floor + 1...250))
        again.release(upTo: floor, by: "store")
        #expect(eventually { again.status.firstSequence == floor + 1 })
    }

    @Test func `a lost journal whose position is left starts above it`() throws {
        let directory = try TemporaryDirectory()
        let journal = try open(options(directory))
        _ = fill(journal, 100)
        journal.release(upTo: 100, by: "store")
        #expect(eventually { journal.status.firstSequence > 1 })
        journal.close()
        let floor = try #require(
            try JournalPosition.read(in: JournalDirectory(path: options(directory).directory)))
        for name in directory.names.isEmpty ? [] : try directory.segmentNames {
            unlink(directory.path + "/journal/" + name)
        }
        let again = try open(options(directory))
        defer { again.close() }
        #expect(again.status.nextSequence == floor + 1)
    }

    @Test func `a reader that is behind keeps its segment whole while it goes`() throws {
        let directory = try TemporaryDirectory()
        let journal = try open(options(directory))
        defer { journal.close() }
        _ = fill(journal, 120)
        let slow = JournalReader(journal, from: 1, blockBytes: 4096)
        #expect(try slow.next(maxRecords: 1).map(\.sequence) == [1])
        journal.release(upTo: 120, by: "store")
        #expect(eventually { journal.status.firstSequence > 1 })
        _ = fill(journal, 120)
        var sequences: [UInt64] = []
        while let record = try slow.next(maxRecords: 1).first {
            sequences.append(record.sequence)
            #expect(
                String(decoding: record.payload, as: UTF8.self)
                    == payload(Int(record.sequence - 1) % 120, bytes: 1500))
        }
        #expect(sequences.last == 240)
        #expect(sequences == sequences.sorted())
        #expect(slow.damagedRecords == 0)
    }
}
