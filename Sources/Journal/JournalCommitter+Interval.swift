internal import Glibc
import Primitives
import Telemetry

/// `JournalOptions.Sync.interval`: what is acknowledged is written, but not yet safe.
extension JournalCommitter {
    /// Makes safe what was written since the last sync, if there is anything.
    func syncInterval() {
        syncAt = .never
        guard var segment = active, !segment.isSynced else { return }
        let start = MonotonicTime.now()
        let code = segment.sync()
        guard code != 0 else {
            active = segment
            let time = MonotonicTime.now().since(start)
            return catalog.withLock { $0.observe(time) }
        }
        log.error("the journal could not sync; what was written goes to a new segment") {
            $0.add("errno", code)
        }
        count(failure: code)
        // Readers may go on from the page cache; the catalog learns of the cut with the copy.
        unsynced = segment
        active = nil
        let rescue = rescueUnsynced()
        if rescue != 0 { _ = fail(rescue, "sync") }
    }

    /// Copies acknowledged records, which the page cache still has, into a new segment.
    /// - Returns: 0 or `errno`; then another probe tries again.
    func rescueUnsynced() -> Int32 {
        guard let old = unsynced else { return 0 }
        var records = ByteBuffer(capacity: max(16, old.offset - old.syncedOffset))
        guard let lost = readUnsynced(old, to: &records) else { return EIO }
        var code = openSegment(
            ActiveSegment.bytes(for: records.count), first: old.syncedNext, isFresh: true)
        guard code == 0 else { return code }
        code =
            active?.write([iovec(records.span)], bytes: records.count, next: old.next, blocks)
            ?? EIO
        if code == 0 { code = active?.sync() ?? EIO }
        guard code == 0 else {
            if let segment = active { seal(segment, hasFailed: true) }
            return code
        }
        unsynced = nil
        if lost > 0 {
            log.error("acknowledged records were lost with a failed sync") {
                $0.add("records", lost)
            }
            catalog.withLock { $0.damage.missingRecords += lost }
        }
        seal(old, replacedBy: active)
        publish(syncTime: nil)
        return 0
    }

    /// The old segment ends at its last sync; the new one, with its higher ordinal, stands behind
    /// it from now on. The old bytes stay, since a reader may be among them.
    private func seal(_ old: ActiveSegment, replacedBy new: ActiveSegment?) {
        catalog.withLock {
            $0.sealLast(
                limitBytes: old.syncedOffset, fileBytes: old.fileBytes, hasFailed: true)
        }
        active = new
    }

    /// Appends the good records behind the last sync.
    /// - Returns: how many are lost; nil if they cannot be read now (`ReadRetryPolicy`).
    private func readUnsynced(_ old: ActiveSegment, to records: inout ByteBuffer) -> UInt64? {
        let start = max(old.syncedOffset, JournalSegmentHeader.bytes)
        let block = UnsafeMutableRawBufferPointer.allocate(
            byteCount: max(0, old.offset - start), alignment: 16)
        defer { block.deallocate() }
        let (got, _) = old.file.readZeroingBadPages(into: block, at: start)
        if got == -Int(EIO) { return nil }
        var offset = 0
        var lost = old.next - old.syncedNext
        while offset + JournalRecord.headerBytes <= got {
            let rest = UnsafeRawBufferPointer(rebasing: block[offset..<got])
            guard let header = JournalRecordHeader(rest, salt: old.header.salt),
                header.recordBytes <= rest.count
            else { break }
            records.append(UnsafeRawBufferPointer(rebasing: rest[..<header.recordBytes]))
            offset += header.recordBytes
            lost -= 1
        }
        return lost
    }
}
