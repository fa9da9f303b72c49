/// How readers find their way.
extension JournalCatalog {
    /// What a reader may read of a segment now.
    struct View {
        let name: String
        let header: JournalSegmentHeader
        /// The sequence behind the last one that counts here.
        let end: UInt64
        let limitBytes: Int
        /// The committer's descriptor while it writes here; nil: open the name.
        let file: SegmentFile?
    }

    /// The segment with `sequence`, or the next one if that is gone; nil if none is.
    /// - Complexity: grows with the distance from the newest segment, where readers mostly are.
    func view(of sequence: UInt64) -> View? {
        guard sequence <= committed, !segments.isEmpty else { return nil }
        var index = segments.count - 1
        while index > 0, segments[index].header.first > sequence { index -= 1 }
        let segment = segments[index]
        return View(
            name: segment.name, header: segment.header, end: end(index),
            limitBytes: segment.limitBytes, file: segment.file)
    }

    /// A reader opened (`by` 1) or left (`by` -1) the segment.
    /// - Returns: false if it is gone.
    mutating func pin(_ header: JournalSegmentHeader, by change: Int) -> Bool {
        guard let index = segments.firstIndex(where: { $0.header == header }) else { return false }
        segments[index].readers += change
        return true
    }

    /// Counts what a reader could not read, once for all readers.
    /// - Parameter offset: where in the segment the damage ends.
    /// - Returns: whether it was news.
    mutating func count(
        damaged: UInt64, missing: UInt64, in header: JournalSegmentHeader, upTo offset: Int
    ) -> Bool {
        guard let index = segments.firstIndex(where: { $0.header == header }),
            segments[index].damageSeenTo < offset
        else { return false }
        segments[index].damageSeenTo = offset
        // At its borders something is missing beside the segment, not in it.
        if offset > JournalSegmentHeader.bytes, offset < .max { segments[index].isDamaged = true }
        damage.damagedRecords += damaged
        damage.missingRecords += missing
        return true
    }
}
