internal import Glibc
import Primitives
import Telemetry

/// What the committer does when the disk fails.
///
/// States: working (`failure` is nil) and failing. Failing refuses everything without touching the
/// disk until a probe, four times a second, has written and synced something. A failed write is
/// undone, so that what was refused is not found later. A failed fsync is never repeated on the
/// same file: Linux reports a lost page once and then calls it clean (Rebello et al., "Can
/// Applications Recover from fsync Failures?", USENIX ATC 2020). Its records are written again to
/// a new segment and acknowledged from there; the old segment counts up to its last good sync.
extension JournalCommitter {
    /// Begins to refuse, or goes on refusing.
    func fail(_ code: Int32, _ what: StaticString) -> JournalOutcome {
        let outcome = JournalOutcome(failure: code)
        if failure == nil {
            log.error("the journal takes nothing until the disk works again") {
                $0.add("action", what)
                $0.add("errno", code)
                $0.add("reason", String(cString: strerror(code)))
            }
        }
        failure = outcome
        probeAt = .after(JournalCommitter.probeInterval)
        count(failure: code)
        return outcome
    }

    func count(failure code: Int32) {
        catalog.withLock {
            $0.failures += 1
            $0.diskHealth = JournalError.isFull(code) ? .full : .unwritable(code: code)
        }
    }

    /// A write failed: nothing of it may be found again.
    func giveUpWrite(_ code: Int32) -> JournalOutcome {
        guard let segment = active else { return fail(code, "write") }
        let undo = segment.cut(at: segment.offset, blocks)
        // A full disk is no reason to leave a segment whose end is clean.
        let mayStay = JournalError.isFull(code) && undo == 0 && segment.isListed
        if !mayStay { abandon(segment) }
        return fail(code, "write")
    }

    /// A sync failed before anything was acknowledged: the staged records go to a new segment.
    func rewriteStaged(after code: Int32) -> JournalOutcome? {
        log.error("the journal could not sync; what waits goes to a new segment") {
            $0.add("errno", code)
        }
        count(failure: code)
        if let segment = active {
            _ = segment.cut(at: segment.syncedOffset, blocks)
            seal(segment, hasFailed: true)
        }
        var code = openSegment(ActiveSegment.bytes(for: stagedBytes), isFresh: true)
        guard code == 0 else { return fail(code, "open a new segment") }
        code = active?.write(staged, bytes: stagedBytes, next: stagedNext, blocks) ?? EIO
        if code == 0 { code = active?.sync() ?? EIO }
        guard code == 0 else {
            if let segment = active { seal(segment, hasFailed: true) }
            return fail(code, "sync")
        }
        publish(syncTime: nil)
        return nil
    }

    /// Tries whether writing works again, with something that leaves no trace.
    func probe() {
        let code = unsynced != nil ? rescueUnsynced() : probeWrite()
        guard code == 0 else {
            _ = fail(code, "write")
            return
        }
        failure = nil
        probeAt = .never
        catalog.withLock { $0.diskHealth = .ok }
        log.notice("the journal takes events again")
    }

    private func probeWrite() -> Int32 {
        if active == nil {
            let code = openSegment(ActiveSegment.bytes(for: 0))
            guard code == 0 else { return code }
        }
        guard let segment = active else { return EIO }
        let start = max(segment.offset, JournalSegmentHeader.bytes)
        let room = max(0, segment.capacityBytes - start)
        var code = segment.file.write([blocks.zeroPart(room)], at: start)
        // In a growing file the zeros stay: they are what the next records are written over.
        if code == 0, segment.isSynced { code = segment.file.syncData() }
        guard code != 0 else { return 0 }
        _ = segment.cut(at: segment.offset, blocks)
        if !JournalError.isFull(code) || !segment.isListed { abandon(segment) }
        return code
    }

    /// Never writes to the active segment again. What was acknowledged from it and not synced is
    /// read from it until `rescueUnsynced` has copied it.
    private func abandon(_ segment: ActiveSegment) {
        if segment.isSynced { return seal(segment, hasFailed: true) }
        unsynced = segment
        active = nil
    }
}
