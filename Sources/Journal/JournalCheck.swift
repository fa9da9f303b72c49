import Primitives

/// What `millrace check` finds in a journal directory. Nothing is changed.
package struct JournalCheck: Sendable {
    package struct Segment: Sendable {
        package var name: String
        /// Sequences that count: `first..<end`; `end` is behind the last good one in the newest.
        package var first: UInt64
        package var end: UInt64
        package var records: Int
        package var events: Int
        package var damagedRecords: UInt64
        package var missingRecords: UInt64
        /// A write was torn at its end; the next start cuts it.
        package var isTorn: Bool
        package var hasDamagedHeader: Bool
        /// The disk could not read all of it.
        package var hasBadPages: Bool

        /// Nothing that was acknowledged is lost, as far as the file tells.
        package var isSound: Bool {
            damagedRecords == 0 && missingRecords == 0 && !hasDamagedHeader && !hasBadPages
        }
    }

    package private(set) var segments: [Segment] = []
    package private(set) var spareSegments = 0
    /// Names that no record could be read from.
    package private(set) var unreadable: [String] = []
    /// Names that the journal did not give.
    package private(set) var foreign: [String] = []

    /// Nothing was lost that had been acknowledged, as far as the files tell.
    package var isSound: Bool {
        unreadable.isEmpty && segments.allSatisfy(\.isSound)
    }

    /// Walks every segment. The service may run meanwhile; then the newest one may look torn.
    /// - Throws: `.unreadable`.
    package init(directory path: String) throws(JournalError) {
        let directory = try JournalDirectory(path: path)
        let inventory = try JournalInventory(directory)
        spareSegments = inventory.spares.count
        unreadable = inventory.unreadable + inventory.superseded
        foreign = inventory.foreign
        for (index, used) in inventory.used.enumerated() {
            try check(used, directory, isLast: index == inventory.used.count - 1)
        }
    }

    private mutating func check(
        _ used: JournalInventory.Used, _ directory: JournalDirectory, isLast: Bool
    ) throws(JournalError) {
        let survey = try SegmentSurvey(
            try directory.open(used.name), salt: used.header.salt, first: used.header.first,
            end: used.end,
            fileBytes: used.fileBytes)
        let next = (survey.lastSequence ?? used.header.first - 1) + 1
        let lost = isLast ? 0 : used.end - next
        let damaged = min(survey.tailRecords, lost)
        segments.append(
            Segment(
                name: used.name, first: used.header.first, end: isLast ? next : used.end,
                records: survey.records, events: survey.events,
                damagedRecords: survey.damagedRecords + damaged,
                missingRecords: survey.missingRecords + lost - damaged,
                isTorn: isLast && survey.isTorn && !survey.hasBadPages,
                hasDamagedHeader: used.hasDamagedHeader, hasBadPages: survey.hasBadPages))
    }
}

extension Journal {
    /// Verifies a directory without opening it for service: `millrace check`.
    package static func checkOnly(directory: String) throws(JournalError) -> JournalCheck {
        try JournalCheck(directory: directory)
    }
}
