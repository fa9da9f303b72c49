internal import Glibc
import Primitives

/// Walks the records of one segment, in order, and steps over what is damaged.
///
/// Reads large blocks with `pread` into one buffer that is reused: a mapped file would turn a
/// failing disk into a signal. One thread at a time.
final class SegmentScanner {
    enum Step {
        /// Valid until a call that may read.
        case record(JournalEntry)
        /// The payload of this record is not what was written.
        case damaged(sequence: UInt64)
        /// Records between the last and the next are gone with the `bytes` that held them.
        case gap(missing: UInt64, bytes: Int)
        /// Going on needs a read, and the caller forbade it.
        case blocked
        /// Nothing valid follows below the limit.
        case end
        /// `pread` failed with this `errno`.
        case failed(Int32)
    }

    private let blockBytes: Int
    private var buffer: UnsafeMutableRawBufferPointer
    private var file: SegmentFile?
    private var salt: UInt32 = 0
    /// The file offset of `buffer[0]`, and how many bytes of the buffer are read.
    private var bufferOffset = 0
    private var bufferCount = 0
    /// The file offset of the next header.
    private(set) var offset = JournalSegmentHeader.bytes
    /// The sequence that the next record should have.
    private(set) var expected: UInt64 = 1
    /// No byte at or behind this file offset is looked at.
    private(set) var limit = 0
    /// Only sequences below it count: others were written again in a later segment.
    private(set) var end: UInt64 = 0
    /// Pages of the file that the disk could not read, and that were taken for zeros.
    private(set) var badPages = 0
    /// Records below it are stepped over unread.
    var skipBelow: UInt64 = 0
    /// Where damage began that is not yet reported; nil outside of damage.
    private var damagedFrom: Int?

    init(blockBytes: Int = 1 << 20) {
        self.blockBytes = max(blockBytes, 4096)
        buffer = .allocate(byteCount: self.blockBytes, alignment: 16)
    }

    deinit { buffer.deallocate() }

    /// Begins with the first record of another file.
    func start(_ file: SegmentFile, salt: UInt32, first: UInt64, end: UInt64, limit: Int) {
        self.file = file
        self.salt = salt
        bufferOffset = 0
        bufferCount = 0
        offset = JournalSegmentHeader.bytes
        expected = first
        damagedFrom = nil
        badPages = 0
        extend(end: end, limit: limit)
        if buffer.count > blockBytes { resize(to: blockBytes) }
    }

    /// More of the same file may be read now.
    func extend(end: UInt64, limit: Int) {
        self.end = end
        self.limit = limit
    }

    /// - Parameter mayRead: false keeps the buffer, and so the records handed out before, as it is.
    func next(mayRead: Bool = true) -> Step {
        while true {
            guard expected < end, offset + JournalRecord.headerBytes <= limit else { return .end }
            switch bytes(JournalRecord.headerBytes, mayRead: mayRead) {
            case .failure(let step): return step
            case .success(let bytes):
                guard let header = JournalRecordHeader(bytes, salt: salt),
                    header.sequence >= expected, header.sequence < end
                else {
                    searchForward()
                    continue
                }
                if let gap = closeGap(before: header) { return gap }
                if let step = take(header, mayRead: mayRead) { return step }
            }
        }
    }

    /// - Returns: nil if the record was skipped.
    private func take(_ header: JournalRecordHeader, mayRead: Bool) -> Step? {
        guard offset + JournalRecord.headerBytes + header.payloadBytes <= limit else {
            offset = limit
            expected = header.sequence + 1
            return .damaged(sequence: header.sequence)
        }
        if header.sequence < skipBelow {
            pass(header)
            return nil
        }
        switch bytes(JournalRecord.headerBytes + header.payloadBytes, mayRead: mayRead) {
        case .failure(let step): return step
        case .success(let record):
            pass(header)
            let payload = UnsafeRawBufferPointer(rebasing: record[JournalRecord.headerBytes...])
            guard crc32c(payload) == header.payloadChecksum else {
                return .damaged(sequence: header.sequence)
            }
            return .record(
                JournalEntry(
                    sequence: header.sequence, eventCount: header.eventCount, payload: payload))
        }
    }

    private func pass(_ header: JournalRecordHeader) {
        offset += header.recordBytes
        expected = header.sequence + 1
    }

    /// Reports once what is missing before a record whose header is good.
    private func closeGap(before header: JournalRecordHeader) -> Step? {
        guard damagedFrom != nil || header.sequence > expected else { return nil }
        let from = max(expected, skipBelow)
        let missing = header.sequence > from ? header.sequence - from : 0
        let bytes = offset - (damagedFrom ?? offset)
        damagedFrom = nil
        expected = header.sequence
        return .gap(missing: missing, bytes: bytes)
    }

    /// Moves `offset` to the next place in the buffer that may hold a header: a magic on a multiple
    /// of eight. A record's own header decides then; its checksum is salted, so that no payload
    /// can pose as one.
    private func searchForward() {
        if damagedFrom == nil { damagedFrom = offset }
        let magic = JournalRecord.magic.littleEndian
        var candidate = offset + JournalRecord.alignment
        let bufferEnd = bufferOffset + bufferCount
        while candidate + JournalRecord.headerBytes <= bufferEnd {
            let found = buffer.loadUnaligned(
                fromByteOffset: candidate - bufferOffset, as: UInt32.self)
            if found == magic { break }
            candidate += JournalRecord.alignment
        }
        offset = candidate
    }

    private enum Bytes {
        case success(UnsafeRawBufferPointer)
        case failure(Step)
    }

    /// The `count` bytes at `offset`, which lie below `limit`, read if they are not there.
    private func bytes(_ count: Int, mayRead: Bool) -> Bytes {
        if offset < bufferOffset || offset + count > bufferOffset + bufferCount {
            guard mayRead else { return .failure(.blocked) }
            if let failure = fill(atLeast: count) { return .failure(failure) }
        }
        let start = offset - bufferOffset
        return .success(UnsafeRawBufferPointer(rebasing: buffer[start..<start + count]))
    }

    private func fill(atLeast count: Int) -> Step? {
        guard let file else { return .end }
        if count > buffer.count { resize(to: count) }
        let wanted = min(buffer.count, limit - offset)
        let (got, bad) = file.readZeroingBadPages(
            into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted]), at: offset)
        badPages += bad
        bufferOffset = offset
        bufferCount = max(0, got)
        guard got >= 0 else { return .failed(Int32(-got)) }
        guard got < count else { return nil }
        // The file is shorter than it was: what is left cannot hold this record.
        limit = offset + got
        return next(mayRead: true)
    }

    private func resize(to bytes: Int) {
        buffer.deallocate()
        buffer = .allocate(byteCount: bytes, alignment: 16)
        bufferCount = 0
    }
}
