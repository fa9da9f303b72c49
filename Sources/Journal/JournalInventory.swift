internal import Glibc

/// The files of a journal directory, put in order. Reads only.
struct JournalInventory {
    /// A segment that was in use.
    struct Used {
        let name: String
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
    /// More segments than are written between two starts.
    private static let ordinalMargin: UInt64 = 1 << 32

    /// In the order of their use.
    var used: [Used] = []
    /// Names of segments that are filled and not yet used.
    var spares: [String] = []
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

    private let directory: JournalDirectory

    /// - Throws: `.unreadable`, if the folder or a segment cannot be opened: that is for the
    ///   operator to mend, and no reason to go on without it. What is in a file never throws.
    init(_ directory: JournalDirectory) throws(JournalError) {
        self.directory = directory
        var headless: [Used] = []
        for name in try directory.names().sorted() {
            guard let number = JournalInventory.number(name) else {
                sort(name)
                continue
            }
            nextNumber = max(nextNumber, number + 1)
            try load(name, number, &headless)
        }
        used.sort { ($0.header.ordinal, $0.number) < ($1.header.ordinal, $1.number) }
        nextOrdinal = (used.last?.header.ordinal ?? 0) + 1
        // A header that cannot be read now may be readable at the next start, with a greater ordinal.
        if !headless.isEmpty { nextOrdinal += JournalInventory.ordinalMargin }
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
        _ name: String, _ number: UInt64, _ headless: inout [Used]
    ) throws(JournalError) {
        let file = try directory.open(name)
        guard let fileBytes = try file.regularBytes() else { return foreign.append(name) }
        guard fileBytes > 0 else { return empty.append(name) }
        var block = [UInt8](repeating: 0, count: JournalSegmentHeader.bytes)
        let (got, _) = block.withUnsafeMutableBytes { file.readZeroingBadPages(into: $0, at: 0) }
        guard got >= 0 else { throw .system(.unreadable, "pread", file.path, Int32(-got)) }
        let found = block.withUnsafeBytes { JournalSegmentHeader.read($0) }
        if let found, found.header.isSpare { return spares.append(name) }
        let unknown = JournalSegmentHeader(salt: 0, ordinal: 0, first: 0)
        let segment = Used(
            name: name, number: number, fileBytes: fileBytes, header: found?.header ?? unknown,
            hasDamagedHeader: found?.isDamaged ?? true)
        if found == nil { headless.append(segment) } else { used.append(segment) }
    }

    /// Segments whose header is gone: the salt is the same throughout a journal, and their records
    /// say where they belong.
    private mutating func adopt(_ headless: [Used]) throws(JournalError) {
        for var segment in headless {
            guard let salt, let first = try firstSequence(segment, salt) else {
                // A crash before the first write leaves zeros, and they hold nothing.
                if try isZero(segment) {
                    empty.append(segment.name)
                } else {
                    unreadable.append(segment.name)
                }
                continue
            }
            let index = used.firstIndex { $0.header.first > first } ?? used.endIndex
            let ordinal = index > 0 ? used[index - 1].header.ordinal : 0
            segment.header = JournalSegmentHeader(salt: salt, ordinal: ordinal, first: first)
            used.insert(segment, at: index)
        }
    }

    private func firstSequence(
        _ segment: Used, _ salt: UInt32
    ) throws(JournalError) -> UInt64? {
        let file = try directory.open(segment.name)
        let scanner = SegmentScanner()
        scanner.start(
            file, salt: salt, first: 1, end: .max, limit: segment.fileBytes)
        while true {
            switch scanner.next() {
            case .record(let entry): return entry.sequence
            case .damaged(let sequence): return sequence
            case .gap: continue
            case .failed(let cause):
                throw .system(.unreadable, "pread", file.path, cause)
            case .end, .blocked: return nil
            }
        }
    }

    private func isZero(_ segment: Used) throws(JournalError) -> Bool {
        let file = try directory.open(segment.name)
        var block = [UInt8](repeating: 0, count: 64 << 10)
        var offset = 0
        while offset < segment.fileBytes {
            let got = block.withUnsafeMutableBytes { file.read(into: $0, at: offset) }
            // An unreadable segment may hold records.
            if got == -Int(EIO) { return false }
            guard got >= 0 else {
                throw .system(.unreadable, "pread", file.path, Int32(-got))
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
                superseded.append(segment.name)
            }
        }
        used = kept.reversed()
    }
}
