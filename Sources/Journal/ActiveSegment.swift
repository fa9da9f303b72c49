internal import Glibc

/// The segment that is written to.
struct ActiveSegment {
    let file: SegmentFile
    let header: JournalSegmentHeader
    /// Records and the end mark stay below it.
    let capacityBytes: Int
    /// Filled with zeros ahead; otherwise the file grows with each write.
    let isFilled: Bool
    /// Where the next record goes; 0 until the header is written, together with the first record.
    var offset: Int
    /// The sequence of the next record.
    var next: UInt64
    /// The same two for what a sync has made safe.
    var syncedOffset: Int
    var syncedNext: UInt64
    /// Readers know of it: something in it was acknowledged.
    var isListed: Bool

    /// A segment that holds nothing yet.
    init(file: SegmentFile, header: JournalSegmentHeader, capacityBytes: Int, isFilled: Bool) {
        self.init(
            file: file, header: header, capacityBytes: capacityBytes, isFilled: isFilled,
            offset: 0, next: header.first)
        isListed = false
    }

    /// A segment whose records below `offset` are safe.
    init(
        file: SegmentFile, header: JournalSegmentHeader, capacityBytes: Int, isFilled: Bool,
        offset: Int, next: UInt64
    ) {
        self.file = file
        self.header = header
        self.capacityBytes = capacityBytes
        self.isFilled = isFilled
        self.offset = offset
        self.next = next
        syncedOffset = offset
        syncedNext = next
        isListed = true
    }

    /// What a segment of its own needs for `bytes` of records.
    static func bytes(for bytes: Int) -> Int {
        JournalSegmentHeader.bytes + bytes + JournalRecord.endMarkBytes
    }

    func hasRoom(for bytes: Int) -> Bool {
        max(offset, JournalSegmentHeader.bytes) + bytes + JournalRecord.endMarkBytes
            <= capacityBytes
    }

    var isSynced: Bool { syncedNext == next }

    /// The file's size as far as it is known without asking.
    var fileBytes: Int { isFilled ? capacityBytes : offset + JournalRecord.endMarkBytes }

    /// Writes `records`, with the header before the first ones and the end mark behind.
    /// - Returns: 0 or `errno`; then nothing of it counts, and `undo` must follow.
    mutating func write(_ records: [iovec], bytes: Int, next: UInt64, _ blocks: WriteBlocks)
        -> Int32
    {
        let isFirst = offset == 0
        let parts =
            (isFirst ? [blocks.headerPart(header)] : []) + records + [blocks.endMarkPart]
        let code = file.write(parts, at: offset)
        guard code == 0 else { return code }
        offset += bytes + (isFirst ? JournalSegmentHeader.bytes : 0)
        self.next = next
        return 0
    }

    /// - Returns: 0 or `errno`; then this file must not be synced again.
    mutating func sync() -> Int32 {
        let code = file.syncData()
        guard code == 0 else { return code }
        syncedOffset = offset
        syncedNext = next
        return 0
    }

    /// Makes sure that no record at or behind `offset` is ever found again.
    /// - Returns: 0 or `errno`.
    func cut(at offset: Int, _ blocks: WriteBlocks) -> Int32 {
        guard isFilled else { return file.truncate(to: offset) }
        let code = file.write([blocks.endMarkPart], at: max(offset, JournalSegmentHeader.bytes))
        return code
    }
}

extension JournalCatalog.Segment {
    init(_ segment: ActiveSegment) {
        self.init(
            name: segment.file.name, header: segment.header, limitBytes: segment.offset,
            fileBytes: segment.fileBytes, isReusable: segment.isFilled, file: segment.file)
    }
}

/// Memory that every write borrows. The committer's thread alone.
final class WriteBlocks {
    /// How much a probe writes: enough that a disk with only a few bytes left does not pass.
    static let probeBytes = 64 << 10

    private let zeros: UnsafeMutableRawBufferPointer
    private let header: UnsafeMutableRawBufferPointer

    init() {
        // Never written, so the pages stay the kernel's zero page.
        zeros = UnsafeMutableRawBufferPointer(
            start: calloc(1, WriteBlocks.probeBytes), count: WriteBlocks.probeBytes)
        header = .allocate(byteCount: JournalSegmentHeader.bytes, alignment: 16)
        header.initializeMemory(as: UInt8.self, repeating: 0)
    }

    deinit {
        free(zeros.baseAddress)
        header.deallocate()
    }

    var endMarkPart: iovec { zeroPart(JournalRecord.endMarkBytes) }

    func zeroPart(_ bytes: Int) -> iovec {
        iovec(UnsafeRawBufferPointer(rebasing: zeros[..<min(bytes, zeros.count)]))
    }

    /// Valid until the next call.
    func headerPart(_ value: JournalSegmentHeader) -> iovec {
        value.write(to: header)
        return iovec(UnsafeRawBufferPointer(header))
    }
}
