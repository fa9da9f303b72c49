import Primitives
import Telemetry

/// How the committer goes from segment to segment.
extension JournalCommitter {
    /// Has an active segment with room for `bytes` of records.
    /// - Returns: why there is none, or nil.
    func makeRoom(for bytes: Int) -> JournalOutcome? {
        let needed = ActiveSegment.bytes(for: bytes)
        let fitsSpare = needed <= options.segmentBytes
        let fits = active?.hasRoom(for: bytes) ?? false
        // A growing file costs a metadata commit with each sync, so it is left for a filled one.
        if fits, active?.isFilled == true || !hasSpare || !fitsSpare { return nil }
        let retained = catalog.withLock { $0.retainedBytes }
        guard retained + max(needed, options.segmentBytes) <= options.maxBytes else {
            return fits ? nil : refuseAtCap()
        }
        if let refusal = leaveActive() { return refusal }
        let code = openSegment(needed)
        return code == 0 ? nil : fail(code, "open the next segment")
    }

    private func refuseAtCap() -> JournalOutcome {
        let isNews = catalog.withLock { catalog -> Bool in
            defer { catalog.isAtCap = true }
            return !catalog.isAtCap
        }
        if isNews {
            log.error("the journal is full") { $0.add("max_bytes", options.maxBytes) }
        }
        return .full
    }

    /// Closes the active segment behind its last record.
    func leaveActive() -> JournalOutcome? {
        guard var segment = active else { return nil }
        if !segment.isSynced {
            syncInterval()
            if let failure { return failure }
            guard let synced = active else { return nil }
            segment = synced
        }
        seal(segment, hasFailed: false)
        return nil
    }

    /// Takes `segment` out of use; no record behind its last synced one counts.
    func seal(_ segment: ActiveSegment, hasFailed: Bool) {
        active = nil
        guard segment.isListed else {
            // Nothing in it was acknowledged. If the removal fails the header's ordinal tells.
            try? directory.remove(segment.file.name)
            return
        }
        catalog.withLock {
            $0.sealLast(
                limitBytes: segment.syncedOffset, fileBytes: segment.fileBytes,
                hasFailed: hasFailed)
        }
    }

    /// Begins a segment at `nextSequence`: a spare if one is there and large enough, else a file
    /// that grows.
    /// - Returns: 0 or `errno`.
    func openSegment(_ neededBytes: Int, first: UInt64? = nil, isFresh: Bool = false) -> Int32 {
        let header = JournalSegmentHeader(
            salt: salt, ordinal: nextOrdinal, first: first ?? nextSequence)
        nextOrdinal += 1
        let isSmall = neededBytes <= options.segmentBytes && !isFresh
        let (spare, number) = catalog.withLock { catalog in
            (isSmall ? catalog.spares.popLast() : nil, catalog.takeNumber())
        }
        hasSpare = false
        if let spare {
            active = ActiveSegment(
                file: spare, header: header, capacityBytes: options.segmentBytes, isFilled: true)
            return 0
        }
        do {
            let file = try directory.create(JournalInventory.name(number))
            active = ActiveSegment(
                file: file, header: header,
                capacityBytes: max(neededBytes, options.segmentBytes), isFilled: false)
            try directory.sync()
            return 0
        } catch {
            if let segment = active { seal(segment, hasFailed: false) }
            return error.cause
        }
    }
}
