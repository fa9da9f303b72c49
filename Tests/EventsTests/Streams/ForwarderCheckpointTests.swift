import Primitives
import Storage
import TestSupport
import Testing

@testable import EventCoding
@testable import Journal
@testable import Streams

@Suite(.blocking) struct ForwarderCheckpointTests {
    @Test func `a checkpoint is read back as it was written`() throws {
        let folder = try TemporaryDirectory()
        let directory = try JournalDirectory(path: folder.path)
        #expect(try ForwarderCheckpoint.read(in: directory) == nil)
        var checkpoint = ForwarderCheckpoint()
        checkpoint.position = 4711
        checkpoint.rows = 90
        checkpoint.marked = 4700
        checkpoint.runID = "abc"
        checkpoint.ends = [.zero, StreamEntryID(milliseconds: 5, number: 6)]
        checkpoint.kept = CommitPoint(position: 4000, lastSeq: 80)
        checkpoint.addGap(after: 3, upTo: 9)
        checkpoint.addGap(after: 20, upTo: 30)
        for _ in 0..<2 {
            try checkpoint.write(in: directory)
            #expect(try ForwarderCheckpoint.read(in: directory) == checkpoint)
            checkpoint.position += 1
        }
    }

    @Test func `a damaged checkpoint is none`() throws {
        let folder = try TemporaryDirectory()
        let directory = try JournalDirectory(path: folder.path)
        var checkpoint = ForwarderCheckpoint()
        checkpoint.position = 12
        try checkpoint.write(in: directory)
        let bytes = try folder.read(ForwarderCheckpoint.fileName)
        for index in bytes.indices {
            var damaged = bytes
            damaged[index] ^= 1
            try folder.write(ForwarderCheckpoint.fileName, damaged)
            let read = try ForwarderCheckpoint.read(in: directory)
            #expect(read == nil || read == checkpoint)
            try folder.write(ForwarderCheckpoint.fileName, bytes[..<index])
            #expect(try ForwarderCheckpoint.read(in: directory) == nil || index == bytes.count - 1)
        }
    }

    @Test func `gaps that touch are one, and there are never too many`() {
        var checkpoint = ForwarderCheckpoint()
        checkpoint.addGap(after: 5, upTo: 5)
        #expect(checkpoint.gaps.isEmpty)
        checkpoint.addGap(after: 1, upTo: 5)
        checkpoint.addGap(after: 4, upTo: 8)
        #expect(checkpoint.gaps == [ForwarderCheckpoint.Gap(after: 1, upTo: 8)])
        for number in 1...5000 as ClosedRange<Int64> {
            checkpoint.addGap(after: number * 100, upTo: number * 100 + 1)
        }
        #expect(checkpoint.gaps.count == 1000)
        #expect(checkpoint.gaps.last?.upTo == 500_001)
    }

    @Test func `rows behind a record are never above its own`() {
        let marks = RowMarks(start: CommitPoint(position: 10, lastSeq: 100))
        for number in 11...5000 as ClosedRange<UInt64> {
            marks.add(CommitPoint(position: number, lastSeq: Int64(number) * 10))
        }
        #expect(marks.rows(behind: 9) == nil)
        #expect(marks.rows(behind: 10) == 100)
        for sequence in stride(from: UInt64(11), to: 6000, by: 7) {
            let rows = marks.rows(behind: sequence) ?? .max
            #expect(rows <= Int64(min(sequence, 5000)) * 10)
        }
    }

    @Test func `rows up to a record are never below its own`() {
        let marks = RowMarks(start: CommitPoint(position: 10, lastSeq: 100))
        marks.begin(with: CommitPoint(position: 4, lastSeq: 40))
        #expect(marks.rows(through: 3) == 100)
        for number in 11...5000 as ClosedRange<UInt64> {
            marks.add(CommitPoint(position: number, lastSeq: Int64(number) * 10))
        }
        for sequence in stride(from: UInt64(11), to: 4900, by: 7) {
            let rows = marks.rows(through: sequence) ?? -1
            #expect(rows >= Int64(sequence) * 10)
        }
        #expect(marks.rows(through: 5001) == nil)
    }

    @Test func `what an earlier run knew of rows counts, unless the store began again`() {
        let marks = RowMarks(start: CommitPoint(position: 10, lastSeq: 100))
        marks.begin(with: CommitPoint(position: 4, lastSeq: 101))
        marks.begin(with: CommitPoint(position: 10, lastSeq: 90))
        #expect(marks.rows(behind: 9) == nil)
        marks.begin(with: CommitPoint(position: 4, lastSeq: 40))
        #expect(marks.rows(behind: 3) == nil)
        #expect(marks.rows(behind: 4) == 40 && marks.rows(behind: 9) == 40)
        #expect(marks.rows(behind: 10) == 100)
    }
}
