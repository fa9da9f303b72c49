internal import Glibc

/// What a whole walk through one segment found.
struct SegmentSurvey {
    /// Good records.
    var records = 0
    var events = 0
    var lastSequence: UInt64?
    /// Behind the last good record: where the next would go.
    var goodEnd = JournalSegmentHeader.bytes
    /// Records with a good one behind them whose payload does not match its checksum.
    var damagedRecords: UInt64 = 0
    /// Sequences with a good one behind them that no header mentions.
    var missingRecords: UInt64 = 0
    /// Damaged records behind the last good one: a torn write, or damage where nobody can tell.
    var tailRecords: UInt64 = 0
    /// The disk could not read all of it.
    var hasBadPages = false
    /// After the last good record there is something other than zeros, or what the disk cannot read, or
    /// the file ends early.
    var isTorn = false

    /// A part of it is damaged or unreadable.
    var isDamaged: Bool { damagedRecords > 0 || missingRecords > 0 || hasBadPages }

    /// - Throws: `.unreadable`.
    /// - Complexity: reads the file once.
    init(
        _ file: SegmentFile, salt: UInt32, first: UInt64, end: UInt64, fileBytes: Int
    ) throws(JournalError) {
        let scanner = SegmentScanner()
        scanner.start(file, salt: salt, first: first, end: end, limit: fileBytes)
        var damaged: UInt64 = 0
        var missing: UInt64 = 0
        scan: while true {
            switch scanner.next() {
            case .record(let entry):
                records += 1
                events += entry.eventCount
                lastSequence = entry.sequence
                goodEnd = scanner.offset
                damagedRecords += damaged
                missingRecords += missing
                (damaged, missing) = (0, 0)
            case .damaged: damaged += 1
            case .gap(let count, _): missing += count
            case .failed(let cause):
                throw .system(.unreadable, "pread", file.path, cause)
            case .end, .blocked: break scan
            }
        }
        tailRecords = damaged
        let hasBytes = try SegmentSurvey.hasBytes(file, at: goodEnd, fileBytes: fileBytes)
        isTorn = hasBytes ?? true
        hasBadPages = scanner.badPages > 0 || hasBytes == nil
    }

    /// Each write ends in a mark of zeros, so anything else after the last record is a torn write.
    /// - Returns: nil if the disk cannot read that place.
    private static func hasBytes(
        _ file: SegmentFile, at offset: Int, fileBytes: Int
    ) throws(JournalError) -> Bool? {
        var mark: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        let count = min(JournalRecord.endMarkBytes, fileBytes - offset)
        guard count > 0 else { return false }
        let got = withUnsafeMutableBytes(of: &mark) {
            file.read(into: UnsafeMutableRawBufferPointer(rebasing: $0[..<count]), at: offset)
        }
        if got == -Int(EIO) { return nil }
        guard got >= 0 else { throw .system(.unreadable, "pread", file.path, Int32(-got)) }
        return mark.0 | mark.1 | mark.2 | mark.3 != 0
    }
}
