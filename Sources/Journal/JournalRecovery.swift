import Telemetry

/// Brings a directory back into service.
///
/// Nothing that cannot be read is thrown away, and nothing found here stops the start:
/// - Half-made files go. Files that hold nothing readable, or only what a later segment overrules,
///   move to `damaged`.
/// - A segment with damage in its middle gets a second name in `damaged` and stays in service:
///   readers step over what is broken and serve the rest. It is never written to again.
/// - The newest segment is cut behind its last good record. A torn write leaves such an end, and
///   only what was not acknowledged can be in one.
/// Segments that every consumer has read are not walked: what they hold is stored elsewhere.
struct JournalRecovery {
    private(set) var catalog = JournalCatalog()
    /// The newest segment, if it can be written on; it is the catalog's last.
    private(set) var active: ActiveSegment?
    private(set) var nextSequence: UInt64
    private(set) var nextOrdinal: UInt64
    let salt: UInt32

    private let directory: JournalDirectory
    private let options: JournalOptions
    private let log: Logger
    /// Segments that end below it are not walked.
    private let minimumNext: UInt64

    /// - Throws: `JournalError`, when the directory itself cannot be read or the newest segment
    ///   cannot be synced.
    init(
        _ directory: JournalDirectory, options: JournalOptions, minimumNext: UInt64, log: Logger
    ) throws(JournalError) {
        self.directory = directory
        self.options = options
        self.minimumNext = minimumNext
        self.log = log
        let inventory = try JournalInventory(directory)
        salt = inventory.salt ?? UInt32.random(in: 1 ... .max)
        nextOrdinal = inventory.nextOrdinal
        nextSequence = max(1, minimumNext)
        catalog.nextNumber = inventory.nextNumber
        tidy(inventory)
        readFloor(inventory)
        try keepSpares(inventory)
        for index in inventory.used.indices {
            try admit(inventory.used[index], isLast: index == inventory.used.count - 1)
        }
        catalog.committed = nextSequence - 1
        report()
    }

    private func tidy(_ inventory: JournalInventory) {
        for name in inventory.foreign {
            log.warning("a file in the journal is not the journal's") { $0.add("file", name) }
        }
        for name in inventory.temporary + inventory.empty {
            attempt("remove") { () throws(JournalError) in try directory.remove(name) }
        }
    }

    private mutating func readFloor(_ inventory: JournalInventory) {
        for name in inventory.unreadable + inventory.superseded { setAside(name, isMoved: true) }
        guard inventory.hasPosition else { return }
        do {
            if let floor = try JournalPosition.read(in: directory) {
                catalog.floor = floor
                nextSequence = max(nextSequence, floor + 1)
                return
            }
            log.warning("the journal's position file is damaged and ignored")
        } catch {
            log.warning("the journal's position file cannot be read") {
                $0.add("error", error.message)
            }
        }
    }

    /// Spares of another size, from other options, are not worth a special case.
    private mutating func keepSpares(_ inventory: JournalInventory) throws(JournalError) {
        for name in inventory.spares {
            let spare = try directory.open(name, isReadOnly: false)
            if try spare.regularBytes() == options.segmentBytes,
                catalog.spares.count < JournalKeeper.spareLimit
            {
                catalog.spares.append(spare)
            } else {
                attempt("remove") { () throws(JournalError) in try directory.remove(name) }
            }
        }
    }

    private mutating func admit(
        _ found: JournalInventory.Used, isLast: Bool
    ) throws(JournalError) {
        var segment = JournalCatalog.Segment(
            name: found.name, header: found.header, limitBytes: found.fileBytes,
            fileBytes: found.fileBytes, isReusable: found.fileBytes == options.segmentBytes,
            isDamaged: found.hasDamagedHeader)
        if isLast || found.end > minimumNext {
            let file = try directory.open(found.name, isReadOnly: false)
            let survey = try SegmentSurvey(
                file, salt: found.header.salt, first: found.header.first, end: found.end,
                fileBytes: found.fileBytes)
            count(survey, &segment, found, isLast: isLast)
            if isLast { try resume(file, survey, &segment) }
        }
        if segment.isDamaged { setAside(segment.name, isMoved: false) }
        catalog.segments.append(segment)
    }

    private mutating func count(
        _ survey: SegmentSurvey, _ segment: inout JournalCatalog.Segment,
        _ found: JournalInventory.Used, isLast: Bool
    ) {
        if survey.isDamaged { segment.isDamaged = true }
        catalog.damage.damagedRecords += survey.damagedRecords
        catalog.damage.missingRecords += survey.missingRecords
        segment.damageSeenTo = survey.goodEnd
        if catalog.segments.isEmpty {
            let known = max(catalog.floor + 1, minimumNext)
            catalog.damage.missingRecords += found.header.first - min(found.header.first, known)
        }
        // A closed segment has no torn end: what is not there, up to the next one, is lost.
        let next = (survey.lastSequence ?? found.header.first - 1) + 1
        guard !isLast, next < found.end else { return }
        let lost = found.end - min(found.end, max(next, catalog.floor + 1))
        let damaged = min(survey.tailRecords, lost)
        catalog.damage.damagedRecords += damaged
        catalog.damage.missingRecords += lost - damaged
        segment.damageSeenTo = .max
        // A clean end means that a whole segment behind this one is gone.
        if survey.isTorn { segment.isDamaged = true }
    }

    /// Cuts the newest segment's end and makes what is before it safe, since what a reader may see
    /// must not vanish with the next crash.
    private mutating func resume(
        _ file: SegmentFile, _ survey: SegmentSurvey, _ segment: inout JournalCatalog.Segment
    ) throws(JournalError) {
        let next = survey.lastSequence.map { $0 + 1 } ?? segment.header.first
        segment.limitBytes = survey.goodEnd
        if survey.isTorn, !survey.hasBadPages {
            catalog.damage.tailRecords += max(survey.tailRecords, 1)
            log.notice("the journal's end was torn and is cut") {
                $0.add("segment", segment.name)
                $0.add("next_sequence", next)
            }
        }
        if survey.hasBadPages {
            log.error("the journal's end cannot be read; nothing more is written to it") {
                $0.add("segment", segment.name)
                $0.add("next_sequence", next)
            }
        }
        let code = file.syncData()
        guard code == 0 else { throw .system(.unwritable, "fdatasync", file.path, code) }
        defer { nextSequence = max(nextSequence, next) }
        guard !segment.isDamaged, next >= nextSequence,
            survey.goodEnd < segment.fileBytes || !segment.isReusable
        else { return }
        active = ActiveSegment(
            file: file, header: segment.header,
            capacityBytes: max(options.segmentBytes, segment.fileBytes),
            isFilled: segment.isReusable, offset: survey.goodEnd, next: next)
        segment.file = file
    }

    private func report() {
        let damage = catalog.damage
        guard damage != JournalDamage() else { return }
        log.error("the journal is damaged") {
            $0.add("damaged_records", damage.damagedRecords)
            $0.add("missing_records", damage.missingRecords)
            $0.add("tail_records", damage.tailRecords)
            $0.add("set_aside", damage.setAside.joined(separator: " "))
        }
    }

    private mutating func setAside(_ name: String, isMoved: Bool) {
        catalog.damage.setAside.append(name)
        attempt("set aside") { () throws(JournalError) in
            if isMoved {
                try directory.moveToDamaged(name)
            } else {
                try directory.linkDamaged(name)
            }
        }
    }

    /// What fails here is said and does not stop the start.
    private func attempt(_ what: StaticString, _ body: () throws(JournalError) -> Void) {
        do {
            try body()
        } catch {
            log.warning("a repair of the journal failed") {
                $0.add("action", what)
                $0.add("error", error.message)
            }
        }
    }
}
