internal import Glibc
import Primitives

/// Changing what lies in the journal: the one exception from "append only".
///
/// DESIGN. A segment is never changed where it lies. It is read into memory, one at a time, and
/// changed there: its header stays, its good records do, changed where somebody wants that, and
/// zeros are put everywhere else, so that nothing is left of damaged records, nor of those that a
/// used-again segment held before. If that has changed anything, it is written to a new file,
/// synced, and renamed to the segment's name. So a crash leaves one or the other, and readers that
/// have the old file open go on with that.
///
/// The keeper's thread does it, for it is who clears segments away and makes them ready. Spares go
/// first, or the next segment would begin in a file with old records; then the committer leaves the
/// segment that it writes to.
extension Journal {
    /// Between two looks at whether the journal was closed.
    private static let rewriteLook = Duration.milliseconds(100)

    /// Lets `edit` change the payloads of the records up to `sequence`, which keep their lengths.
    /// Blocks: never from the journal's own threads.
    /// - Parameters:
    ///   - progress: what earlier calls for the same records and the same `edit` came to. One call that
    ///     has succeeded leaves nothing to do for the next.
    ///   - edit: returns whether it has changed anything. Called on the keeper's thread.
    /// - Throws: `.unwritable`, `.unreadable`: call again, what was changed stays so; `.closed`.
    package func rewrite(
        upTo sequence: UInt64, progress: RewritingProgress = RewritingProgress(),
        _ edit: @escaping @Sendable (UnsafeMutableRawBufferPointer) -> Bool
    ) throws(JournalError) {
        let outcome = Monitor<Result<Void, JournalError>?>(nil)
        let rewriting = JournalRewriting(
            catalog: catalog, directory: directory, committer: committer)
        keeper.perform {
            let result = Result { () throws(JournalError) in
                try rewriting.run(upTo: sequence, progress, edit)
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

/// How far one rewriting has come in this process. Each pass over the whole journal reads all of it and
/// closes the active segment with all the space that it has left, so what is repeated after a failure is
/// only what failed. The keeper's thread.
package final class RewritingProgress: Sendable {
    struct State {
        /// Segments that are still to be rewritten; nil before they are known.
        var pending: Set<String>?
        var isComplete = false
    }

    let state = Locked(State())

    package init() {}
}

/// One pass over all segments, on the keeper's thread.
struct JournalRewriting: Sendable {
    let catalog: Monitor<JournalCatalog>
    let directory: JournalDirectory
    let committer: JournalCommitter

    typealias Edit = (UnsafeMutableRawBufferPointer) -> Bool

    func run(
        upTo sequence: UInt64, _ progress: RewritingProgress, _ edit: Edit
    ) throws(JournalError) {
        guard !progress.state.withLock({ $0.isComplete }) else { return }
        // Until all is done, no segment becomes a spare: it could be one that was not rewritten.
        catalog.withLock { $0.isRewriting = true }
        let pending: Set<String>
        if let known = progress.state.withLock({ $0.pending }) {
            pending = known
        } else {
            try removeSpares()
            committer.leaveSegment()
            pending = try oldSegments(upTo: sequence)
            progress.state.withLock { $0.pending = pending }
        }
        let segments = catalog.withLock { catalog in
            catalog.segments.indices.map { (catalog.segments[$0], catalog.end($0)) }
        }
        for (segment, end) in segments where pending.contains(segment.name) {
            try rewrite(segment, end: end, upTo: sequence, edit)
            progress.state.withLock { _ = $0.pending?.remove(segment.name) }
        }
        try directory.sync()
        progress.state.withLock { $0.isComplete = true }
        catalog.withLock { $0.isRewriting = false }
    }

    private func removeSpares() throws(JournalError) {
        while let spare = catalog.withLock({ $0.spares.popLast() }) {
            do throws(JournalError) {
                try directory.remove(spare.name)
            } catch {
                catalog.withLock { $0.spares.append(spare) }
                throw error
            }
        }
    }

    /// All segments but one that was opened after the committer left the one before: its file is new.
    private func oldSegments(upTo sequence: UInt64) throws(JournalError) -> Set<String> {
        let segments = catalog.withLock { $0.segments }
        if let open = segments.first(where: { $0.file != nil && $0.header.first <= sequence }) {
            throw JournalError(.unwritable, "\(open.name) is still written to")
        }
        return Set(segments.lazy.filter { $0.file == nil }.map(\.name))
    }

    private func rewrite(
        _ segment: JournalCatalog.Segment, end: UInt64, upTo sequence: UInt64, _ edit: Edit
    ) throws(JournalError) {
        let file = try directory.open(segment.name)
        guard let size = try file.regularBytes(), size >= JournalSegmentHeader.bytes else { return }
        let block = Block(size)
        let (count, badPages) = file.readZeroingBadPages(into: block.bytes, at: 0)
        guard count >= 0 else { throw .system(.unreadable, "pread", file.path, Int32(-count)) }
        let isChanged = change(
            block, segment.header, end: end, limit: min(segment.limitBytes, count), upTo: sequence,
            edit)
        // An unreadable page may hold erased data, and may become readable again.
        if isChanged || badPages > 0 { try replace(segment.name, by: block) }
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
        directory.retryPolicy.forget(name)
    }

    // MARK: Records

    /// Leaves the records that count where they are, of a damaged one only the header, and clears
    /// everything else.
    /// - Returns: whether that has changed anything.
    private func change(
        _ block: Block, _ segment: JournalSegmentHeader, end: UInt64, limit: Int,
        upTo sequence: UInt64, _ edit: Edit
    ) -> Bool {
        var offset = JournalSegmentHeader.bytes
        var expected = segment.first
        // What lies before it stays as it is.
        var judged = offset
        var isChanged = false
        while offset + JournalRecord.headerBytes <= limit, expected < end {
            let bytes = block.part(offset, JournalRecord.headerBytes)
            guard let header = JournalRecordHeader(bytes, salt: segment.salt),
                header.sequence >= expected, header.sequence < end
            else {
                offset += JournalRecord.alignment
                continue
            }
            expected = header.sequence + 1
            if block.clear(judged..<offset) { isChanged = true }
            let payload = offset + JournalRecord.headerBytes
            judged = payload
            defer { offset += header.recordBytes }
            let part = block.part(payload, min(header.payloadBytes, limit - payload))
            guard part.count == header.payloadBytes, crc32c(part) == header.payloadChecksum else {
                continue
            }
            judged = payload + header.payloadBytes
            guard header.sequence <= sequence,
                edit(UnsafeMutableRawBufferPointer(mutating: part))
            else { continue }
            seal(block, at: offset, header, salt: segment.salt)
            isChanged = true
        }
        return block.clear(judged..<block.bytes.count) || isChanged
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

    /// Memory for a whole segment, of zeros.
    private final class Block {
        let bytes: UnsafeMutableRawBufferPointer

        init(_ count: Int) {
            bytes = UnsafeMutableRawBufferPointer(start: calloc(1, count), count: count)
        }

        deinit { free(bytes.baseAddress) }

        /// Puts zeros there.
        /// - Returns: whether there was anything else.
        func clear(_ range: Range<Int>) -> Bool {
            guard let start = bytes.baseAddress.map({ $0 + range.lowerBound }), !range.isEmpty,
                // Each byte is the one before it, and the first one is zero.
                bytes[range.lowerBound] != 0 || memcmp(start, start + 1, range.count - 1) != 0
            else { return false }
            memset(start, 0, range.count)
            return true
        }

        func part(_ offset: Int, _ count: Int) -> UnsafeRawBufferPointer {
            UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count])
        }
    }
}
