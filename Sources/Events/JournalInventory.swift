/// The files of a journal directory, put in order. Reads only.
struct JournalInventory {
    /// A segment that was in use.
    struct Used {
        let file: SegmentFile
        let number: UInt64
        let fileBytes: Int
        var header: JournalSegmentHeader
        /// One copy of the header, or both, are not as they were written.
        var hasDamagedHeader: Bool
        /// The sequence behind the last that counts; `UInt64.max` for the newest.
        var end = UInt64.max
    }

    static let suffix = ".segment"
    static let temporarySuffix = ".tmp"

    /// In the order of their use.
    var used: [Used] = []
    /// Filled, not yet used.
    var spares: [SegmentFile] = []
    /// Created, but nothing was written: a crash came first.
    var empty: [String] = []
    /// Named like segments, but nothing in them can be read.
    var unreadable: [String] = []
    /// Written again in a later segment, or from another journal: none of their records count.
    var superseded: [String] = []
    /// Half-made files.
    var temporary: [String] = []
    /// Names that the journal did not give.
    var foreign: [String] = []
    var hasPosition = false
    var nextNumber: UInt64 = 1
    var nextOrdinal: UInt64 = 1
    /// The newest segment's; nil without one.
    var salt: UInt32?

    static func name(_ number: UInt64) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, 12 - digits.count)) + digits + suffix
    }

    /// - Throws: `.unreadable`, if the folder is; a single file that cannot be read is listed.
    init(_ directory: JournalDirectory, isReadOnly: Bool) throws(JournalError) {
        var headless: [Used] = []
        for name in try directory.names().sorted() {
            guard let number = JournalInventory.number(name) else {
                sort(name)
                continue
            }
            nextNumber = max(nextNumber, number + 1)
            try load(name, number, directory, isReadOnly, &headless)
        }
        used.sort { ($0.header.ordinal, $0.number) < ($1.header.ordinal, $1.number) }
        nextOrdinal = (used.last?.header.ordinal ?? 0) + 1
        salt = used.last?.header.salt
        try adopt(headless)
        bound()
    }

    private static func number(_ name: String) -> UInt64? {
        guard name.hasSuffix(suffix) else { return nil }
        let digits = name.dropLast(suffix.count)
        guard digits.count >= 12, digits.utf8.allSatisfy({ (48...57).contains($0) }) else {
            return nil
        }
        // A name from another world must not exhaust the numbers.
        return UInt64(digits).flatMap { $0 < 1 << 48 ? $0 : nil }
    }

    private mutating func sort(_ name: String) {
        if name == JournalPosition.name {
            hasPosition = true
        } else if name.hasSuffix(JournalInventory.temporarySuffix) {
            temporary.append(name)
        } else if name != JournalDirectory.damagedName {
            foreign.append(name)
        }
    }

    private mutating func load(
        _ name: String, _ number: UInt64, _ directory: JournalDirectory, _ isReadOnly: Bool,
        _ headless: inout [Used]
    ) throws(JournalError) {
        let file: SegmentFile
        var block = [UInt8](repeating: 0, count: JournalSegmentHeader.bytes)
        let got: Int
        let fileBytes: Int
        do {
            file = try directory.open(name, isReadOnly: isReadOnly)
            fileBytes = try file.byteCount()
            got = block.withUnsafeMutableBytes { file.read(into: $0, at: 0) }
        } catch {
            unreadable.append(name)
            return
        }
        guard fileBytes > 0 else { return empty.append(name) }
        let found = block.withUnsafeBytes { JournalSegmentHeader.read($0) }
        guard got > 0, let found else {
            let unknown = JournalSegmentHeader(salt: 0, ordinal: 0, first: 0)
            headless.append(
                Used(
                    file: file, number: number, fileBytes: fileBytes, header: unknown,
                    hasDamagedHeader: true))
            return
        }
        guard !found.header.isSpare else { return spares.append(file) }
        used.append(
            Used(
                file: file, number: number, fileBytes: fileBytes, header: found.header,
                hasDamagedHeader: found.isDamaged))
    }

    /// Segments whose header is gone: the salt is the same throughout a journal, and their records
    /// say where they belong.
    private mutating func adopt(_ headless: [Used]) throws(JournalError) {
        for var segment in headless {
            guard let salt, let first = try JournalInventory.firstSequence(segment, salt) else {
                // A crash before the first write leaves zeros, and they hold nothing.
                if try JournalInventory.isZero(segment) {
                    empty.append(segment.file.name)
                } else {
                    unreadable.append(segment.file.name)
                }
                continue
            }
            let index = used.firstIndex { $0.header.first > first } ?? used.endIndex
            let ordinal = index > 0 ? used[index - 1].header.ordinal : 0
            segment.header = JournalSegmentHeader(salt: salt, ordinal: ordinal, first: first)
            used.insert(segment, at: index)
        }
    }

    private static func firstSequence(
        _ segment: Used, _ salt: UInt32
    ) throws(JournalError) -> UInt64? {
        let scanner = SegmentScanner()
        scanner.start(
            segment.file, salt: salt, first: 1, end: .max, limit: segment.fileBytes)
        while true {
            switch scanner.next() {
            case .record(let entry): return entry.sequence
            case .damaged(let sequence): return sequence
            case .gap: continue
            case .failed(let cause):
                throw .system(.unreadable, "pread", segment.file.path, cause)
            case .end, .blocked: return nil
            }
        }
    }

    private static func isZero(_ segment: Used) throws(JournalError) -> Bool {
        var block = [UInt8](repeating: 0, count: 64 << 10)
        var offset = 0
        while offset < segment.fileBytes {
            let got = block.withUnsafeMutableBytes { segment.file.read(into: $0, at: offset) }
            guard got >= 0 else {
                throw .system(.unreadable, "pread", segment.file.path, Int32(-got))
            }
            guard got > 0, block[..<got].allSatisfy({ $0 == 0 }) else { return got == 0 }
            offset += got
        }
        return true
    }

    /// Later segments overrule earlier ones.
    private mutating func bound() {
        var end = UInt64.max
        var kept: [Used] = []
        for var segment in used.reversed() {
            segment.end = end
            if segment.header.first < end {
                end = segment.header.first
                kept.append(segment)
            } else {
                superseded.append(segment.file.name)
            }
        }
        used = kept.reversed()
    }
}
