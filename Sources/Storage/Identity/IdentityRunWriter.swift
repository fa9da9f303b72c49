import Primitives

/// Writes the file of a run: entries in the order of their fingerprints, then `finish`. The file has
/// its name only when all of it is on the disk. One thread.
final class IdentityRunWriter {
    /// Written at once: 256 blocks.
    private static let bufferBytes = 1 << 20

    private let folder: IdentityFolder
    private let name: String
    private let file: IdentityFile
    private let filter: IdentityFilter
    private var fences: [UInt64] = []
    private var buffer = ByteBuffer(capacity: bufferBytes + IdentityRunHeader.pageBytes)
    private var offset = IdentityRunHeader.pageBytes
    private var entriesInBlock = 0
    private var blockStart = 0
    private(set) var entryCount = 0

    /// - Parameters:
    ///   - name: of the file until it is finished; one that is there is overwritten.
    ///   - entryLimit: entries at most.
    init(
        in folder: IdentityFolder, name: String, entryLimit: Int
    ) throws(IdentityFileError) {
        self.folder = folder
        self.name = name
        try folder.create()
        file = try IdentityFile(creating: folder.file(name))
        filter = IdentityFilter(entryCount: entryLimit)
        fences.reserveCapacity(entryLimit / IdentityRunHeader.entriesPerBlock + 1)
    }

    /// Removes an unfinished file.
    func abandon() { folder.remove(name) }

    func append(_ entry: IdentityEntry) throws(IdentityFileError) {
        if entriesInBlock == 0 {
            fences.append(entry.fingerprint)
            blockStart = buffer.count
        }
        buffer.append(littleEndian: entry.fingerprint)
        buffer.append(littleEndian: UInt64(bitPattern: entry.seq))
        filter.insert(entry.fingerprint)
        entriesInBlock += 1
        entryCount += 1
        if entriesInBlock == IdentityRunHeader.entriesPerBlock { try endBlock() }
    }

    /// Ends the file and gives it its name.
    func finish(_ template: IdentityRunHeader) throws(IdentityFileError) -> IdentityRun {
        // A run without entries is a run too: its range is covered.
        if entriesInBlock > 0 || fences.isEmpty {
            if fences.isEmpty { fences.append(0) }
            let missing = IdentityRunHeader.entriesPerBlock - entriesInBlock
            for _ in 0..<missing * 2 { buffer.append(littleEndian: UInt64(0)) }
            try endBlock()
        }
        try flush()
        var header = template
        header.entryCount = entryCount
        header.blockCount = fences.count
        header.filterBlockCount = filter.blockCount
        let sum = fences.withUnsafeBytes { crc32c($0) }
        header.indexSum = crc32c(UnsafeRawBufferPointer(filter.bytes), seed: sum)
        try fences.withUnsafeBytes { bytes in
            Result { () throws(IdentityFileError) in
                try file.write(bytes, at: header.fencesOffset)
            }
        }.get()
        try file.write(UnsafeRawBufferPointer(filter.bytes), at: header.filterOffset)
        header.encode(into: &buffer)
        try file.write(buffer.span, at: 0)
        try file.sync()
        try folder.rename(name, to: header.name)
        return IdentityRun(header, file, fences: fences, filter: filter)
    }

    private func endBlock() throws(IdentityFileError) {
        buffer.append(littleEndian: UInt64(fences.count - 1))
        let block = UnsafeRawBufferPointer(rebasing: buffer.span[blockStart...])
        buffer.append(littleEndian: UInt64(crc32c(block)))
        entriesInBlock = 0
        blockStart = buffer.count
        if buffer.count >= IdentityRunWriter.bufferBytes { try flush() }
    }

    private func flush() throws(IdentityFileError) {
        try file.write(buffer.span, at: offset)
        offset += buffer.count
        buffer.removeAll()
        blockStart = 0
    }
}
