internal import Glibc
import Primitives

/// Changing what lies in the journal: the one exception from "append only".
///
/// DESIGN. A segment is never changed where it lies. What is to stay of it is put together in memory:
/// its header, its good records, changed where somebody wants that, and zeros everywhere else, so
/// that nothing is left of damaged records, nor of those that a used-again segment held before. If
/// that is anything else than what the file holds, it is written to a new file, synced, and renamed to
/// the segment's name. So a crash leaves one or the other, and readers that have the old file open go
/// on with that.
///
/// The keeper's thread does it, for it is who clears segments away and makes them ready. Spares go
/// first, or the next segment would begin in a file with old records; then the committer leaves the
/// segment that it writes to.
extension Journal {
    /// Between two looks at whether the journal was closed.
    private static let rewriteLook = Duration.milliseconds(100)

    /// Lets `edit` change the payloads of the records up to `sequence`, which keep their lengths.
    /// Blocks: never from the journal's own threads.
    /// - Parameter edit: returns whether it has changed anything. Called on the keeper's thread.
    /// - Throws: `.unwritable`, `.unreadable`: call again, what was changed stays so; `.closed`.
    package func rewrite(
        upTo sequence: UInt64, _ edit: @escaping @Sendable (UnsafeMutableRawBufferPointer) -> Bool
    ) throws(JournalError) {
        let outcome = Monitor<Result<Void, JournalError>?>(nil)
        let rewriting = JournalRewriting(
            catalog: catalog, directory: directory, committer: committer)
        keeper.perform {
            let result = Result { () throws(JournalError) in
                try rewriting.run(upTo: sequence, edit)
            }
            outcome.change { $0 = result }
        }
        while true {
            let result = outcome.wait(
                until: .after(Journal.rewriteLook), for: { $0 != nil }, then: { $0 })
            if let result, let result { return try result.get() }
            if isClosed { throw JournalError(.closed, "the journal is closed") }
        }
    }
}

/// One pass over all segments, on the keeper's thread.
struct JournalRewriting: Sendable {
    let catalog: Monitor<JournalCatalog>
    let directory: JournalDirectory
    let committer: JournalCommitter

    typealias Edit = (UnsafeMutableRawBufferPointer) -> Bool

    func run(upTo sequence: UInt64, _ edit: Edit) throws(JournalError) {
        let spares = catalog.withLock { catalog -> [SegmentFile] in
            defer { catalog.spares = [] }
            return catalog.spares
        }
        for spare in spares { try directory.remove(spare.name) }
        committer.leaveSegment()
        let segments = catalog.withLock { catalog in
            catalog.segments.indices.map { (catalog.segments[$0], catalog.end($0)) }
        }
        for (segment, end) in segments {
            guard segment.file == nil else {
                // It was opened since, and holds nothing that is to be changed.
                guard segment.header.first <= sequence else { continue }
                throw JournalError(.unwritable, "\(segment.name) is still written to")
            }
            try rewrite(segment, end: end, upTo: sequence, edit)
        }
        try directory.sync()
    }

    private func rewrite(
        _ segment: JournalCatalog.Segment, end: UInt64, upTo sequence: UInt64, _ edit: Edit
    ) throws(JournalError) {
        let file = try directory.open(segment.name)
        guard let size = try file.regularBytes(), size >= JournalSegmentHeader.bytes else { return }
        let (old, new) = (Block(size), Block(size))
        let count = file.read(into: old.bytes, at: 0)
        guard count >= 0 else { throw .system(.unreadable, "pread", file.path, Int32(-count)) }
        copy(JournalSegmentHeader.bytes, at: 0, from: old, to: new)
        copyRecords(
            from: old, to: new, segment.header, end: end,
            limit: min(segment.limitBytes, count), upTo: sequence, edit)
        guard !old.equals(new) else { return }
        try replace(segment.name, by: new)
    }

    private func replace(_ name: String, by block: Block) throws(JournalError) {
        let temporary = name + JournalInventory.temporarySuffix
        try directory.remove(temporary)
        let file = try directory.create(temporary)
        var code = file.write([iovec(UnsafeRawBufferPointer(block.bytes))], at: 0)
        if code == 0 { code = file.syncData() }
        guard code == 0 else {
            try? directory.remove(temporary)
            throw .system(.unwritable, "write", file.path, code)
        }
        try directory.rename(temporary, to: name)
    }

    // MARK: Records

    /// Copies the records that count, each to where it was. Of a damaged one only the header.
    private func copyRecords(
        from old: Block, to new: Block, _ segment: JournalSegmentHeader, end: UInt64, limit: Int,
        upTo sequence: UInt64, _ edit: Edit
    ) {
        var offset = JournalSegmentHeader.bytes
        var expected = segment.first
        while offset + JournalRecord.headerBytes <= limit, expected < end {
            let bytes = UnsafeRawBufferPointer(
                rebasing: old.bytes[offset..<offset + JournalRecord.headerBytes])
            guard let header = JournalRecordHeader(bytes, salt: segment.salt),
                header.sequence >= expected, header.sequence < end
            else {
                offset += JournalRecord.alignment
                continue
            }
            expected = header.sequence + 1
            copy(JournalRecord.headerBytes, at: offset, from: old, to: new)
            let payload = offset + JournalRecord.headerBytes
            defer { offset += header.recordBytes }
            guard payload + header.payloadBytes <= limit,
                crc32c(old.part(payload, header.payloadBytes)) == header.payloadChecksum
            else { continue }
            copy(header.payloadBytes, at: payload, from: old, to: new)
            guard header.sequence <= sequence,
                edit(
                    UnsafeMutableRawBufferPointer(
                        mutating: new.part(payload, header.payloadBytes)))
            else { continue }
            seal(new, at: offset, header, salt: segment.salt)
        }
    }

    /// Makes the checksums of a changed record right again.
    private func seal(_ block: Block, at offset: Int, _ header: JournalRecordHeader, salt: UInt32) {
        let payload = block.part(offset + JournalRecord.headerBytes, header.payloadBytes)
        store(crc32c(payload), in: block, at: offset + JournalRecord.payloadChecksumOffset)
        let covered = block.part(offset, JournalRecord.headerChecksumOffset)
        store(
            crc32c(covered, seed: salt), in: block,
            at: offset + JournalRecord.headerChecksumOffset)
    }

    private func store(_ checksum: UInt32, in block: Block, at offset: Int) {
        block.bytes.storeBytes(of: checksum.littleEndian, toByteOffset: offset, as: UInt32.self)
    }

    private func copy(_ count: Int, at offset: Int, from old: Block, to new: Block) {
        UnsafeMutableRawBufferPointer(rebasing: new.bytes[offset..<offset + count])
            .copyMemory(from: UnsafeRawBufferPointer(rebasing: old.bytes[offset..<offset + count]))
    }

    /// Memory for a whole segment, of zeros.
    private final class Block {
        let bytes: UnsafeMutableRawBufferPointer

        init(_ count: Int) {
            bytes = UnsafeMutableRawBufferPointer(start: calloc(1, count), count: count)
        }

        deinit { free(bytes.baseAddress) }

        /// - Parameter other: of the same size.
        func equals(_ other: Block) -> Bool {
            guard let mine = bytes.baseAddress, let theirs = other.bytes.baseAddress else {
                return true
            }
            return memcmp(mine, theirs, bytes.count) == 0
        }

        func part(_ offset: Int, _ count: Int) -> UnsafeRawBufferPointer {
            UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count])
        }
    }
}
