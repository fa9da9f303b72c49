import Primitives

/// Identities of a range of rows: a file that never changes, sorted by fingerprint. What is needed to
/// know where to look lies in memory: 10 bits an entry for the filter, a quarter of a bit for the
/// fences. Any thread.
final class IdentityRun: Sendable {
    let header: IdentityRunHeader
    private let file: IdentityFile
    private let fences: [UInt64]
    private let filter: IdentityFilter

    init(
        _ header: IdentityRunHeader, _ file: IdentityFile, fences: [UInt64], filter: IdentityFilter
    ) {
        self.header = header
        self.file = file
        self.fences = fences
        self.filter = filter
    }

    /// Opens the file at `path`, and checks all of it but its blocks, which are checked as they are
    /// read.
    convenience init(path: String) throws(IdentityFileError) {
        let file = try IdentityFile(reading: path)
        let header = try IdentityRun.header(of: file)
        var fences = [UInt64](repeating: 0, count: header.blockCount)
        let filter = IdentityFilter(blockCount: header.filterBlockCount)
        try file.read(&fences, at: header.fencesOffset)
        try file.read(filter.bytes, at: header.filterOffset)
        let sum = fences.withUnsafeBytes { crc32c($0) }
        guard crc32c(UnsafeRawBufferPointer(filter.bytes), seed: sum) == header.indexSum else {
            throw .damaged("\(path): its index is not what was written")
        }
        self.init(header, file, fences: fences, filter: filter)
    }

    private static func header(
        of file: IdentityFile
    ) throws(IdentityFileError) -> IdentityRunHeader {
        var page = [UInt64](repeating: 0, count: IdentityRunHeader.pageBytes / 8)
        try file.read(&page, at: 0)
        let header = try page.withUnsafeBytes { bytes in
            Result { () throws(IdentityFileError) in
                try IdentityRunHeader(decoding: bytes, path: file.path)
            }
        }.get()
        let size = StoreFile.size(file.path)
        guard header.blockCount > 0, header.filterBlockCount > 0, size == header.fileBytes,
            header.entryCount <= header.blockCount * IdentityRunHeader.entriesPerBlock
        else { throw .damaged("\(file.path): \(size) bytes") }
        return header
    }

    /// Prefetches the cache line that `find` will read.
    func prefetch(_ fingerprint: UInt64) { filter.prefetch(fingerprint) }

    /// Appends the rows that may have the identity. Reads one block for what is there, and for about
    /// one in 75 of what is not.
    func find(
        _ fingerprint: UInt64, _ candidates: inout [Int64], _ page: IdentityPage
    ) throws(IdentityFileError) {
        guard filter.mayContain(fingerprint) else { return }
        var block = firstFence(after: fingerprint) - 1
        // Equal fingerprints may begin in the block before.
        while block >= 0 {
            let first = try read(block, page)
            for index in 0..<page.count where page[index].fingerprint == fingerprint {
                candidates.append(page[index].seq)
            }
            guard first == fingerprint else { return }
            block -= 1
        }
    }

    /// Reads and checks a block.
    /// - Returns: its first fingerprint.
    @discardableResult
    func read(_ block: Int, _ page: IdentityPage) throws(IdentityFileError) -> UInt64 {
        try page.load(from: file, block: block)
        let before = block * IdentityRunHeader.entriesPerBlock
        page.count = min(IdentityRunHeader.entriesPerBlock, header.entryCount - before)
        return page[0].fingerprint
    }

    /// The number of the first block that begins after `fingerprint`.
    private func firstFence(after fingerprint: UInt64) -> Int {
        var (low, high) = (0, fences.count)
        while low < high {
            let middle = (low + high) / 2
            if fences[middle] <= fingerprint { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

/// Memory for one block. One thread at a time.
final class IdentityPage {
    private let raw: UnsafeMutableRawBufferPointer
    /// Entries in it.
    fileprivate(set) var count = 0

    init() { raw = .allocate(byteCount: IdentityRunHeader.pageBytes, alignment: 16) }

    deinit { raw.deallocate() }

    subscript(index: Int) -> IdentityEntry {
        let offset = index * IdentityRunHeader.entryBytes
        return IdentityEntry(
            fingerprint: UInt64(
                littleEndian: raw.load(fromByteOffset: offset, as: UInt64.self)),
            seq: Int64(littleEndian: raw.load(fromByteOffset: offset + 8, as: Int64.self)))
    }

    fileprivate func load(from file: IdentityFile, block: Int) throws(IdentityFileError) {
        try file.read(raw, at: (1 + block) * IdentityRunHeader.pageBytes)
        let end = IdentityRunHeader.pageBytes - 8
        let sum = crc32c(UnsafeRawBufferPointer(rebasing: raw[..<end]))
        guard raw.load(fromByteOffset: end - 8, as: UInt64.self).littleEndian == UInt64(block),
            raw.load(fromByteOffset: end, as: UInt64.self).littleEndian == UInt64(sum)
        else { throw .damaged("\(file.path): block \(block) is not what was written") }
    }
}
