import Primitives

/// What is on disk and who still needs it. Every thread sees it under the lock of its monitor.
struct JournalCatalog {
    struct Segment {
        let name: String
        let header: JournalSegmentHeader
        /// Behind the last acknowledged record, or the file's end where nobody has looked.
        var limitBytes: Int
        var fileBytes: Int
        /// Filled with zeros ahead and never failed: can be used again without new metadata.
        var isReusable: Bool
        /// Never used again, and kept in `damaged` when it goes.
        var isDamaged = false
        /// Readers that have it open: then it is unlinked and not used again.
        var readers = 0
        /// Damage below this offset is already counted.
        var damageSeenTo = 0
        /// The committer's own descriptor while it writes here.
        var file: SegmentFile?
    }

    /// In the order of their use; first sequences grow.
    var segments: [Segment] = []
    var spares: [SegmentFile] = []
    /// Segments are being rewritten, or some still have to be after a failure: none becomes a spare.
    var isRewriting = false
    /// The number in the next file's name.
    var nextNumber: UInt64 = 1
    /// The last acknowledged sequence.
    var committed: UInt64 = 0
    /// How far each consumer is; one that has said nothing yet holds everything.
    var released: [String: UInt64] = [:]
    /// Sequences up to this one may be gone without being missed.
    var floor: UInt64 = 0
    /// What the disk does; `.ok` says nothing about the cap.
    var diskHealth = JournalHealth.ok
    /// The last batch was refused because of `maxBytes`.
    var isAtCap = false
    var damage = JournalDamage()
    var failures: UInt64 = 0
    var commits: UInt64 = 0
    var syncMicroseconds: Double = 0
    var traces = JournalTraces()
    var identity = JournalIdentity.random()
    /// Someone waits for `committed` to grow.
    var hasWaiter = false
    /// Until then those who post count as waiting for a core rather than for the disk.
    var coresAreShortUntil = MonotonicTime(nanoseconds: 0)
    var isClosed = false

    /// What all consumers have stored.
    var releasedByAll: UInt64 { released.values.min() ?? 0 }

    /// The sequence behind the last that counts in a segment.
    func end(_ index: Int) -> UInt64 {
        index + 1 < segments.count ? segments[index + 1].header.first : committed + 1
    }

    /// How many segments at the beginning nobody needs. The last one stays: it is being written.
    var releasableCount: Int {
        let released = releasedByAll
        var count = 0
        while count + 1 < segments.count, end(count) <= released + 1 { count += 1 }
        return count
    }

    /// What the cap counts.
    var retainedBytes: Int {
        segments[releasableCount...].reduce(0) { $0 + $1.fileBytes }
    }

    /// The oldest segments beyond what is kept for sending again.
    func surplus(retainBytes: Int) -> ArraySlice<Segment> {
        let releasable = segments[..<releasableCount]
        var keptBytes = 0
        var first = releasable.endIndex
        while first > 0, keptBytes + releasable[first - 1].fileBytes <= retainBytes {
            first -= 1
            keptBytes += releasable[first].fileBytes
        }
        return releasable[..<first]
    }

    mutating func takeNumber() -> UInt64 {
        defer { nextNumber += 1 }
        return nextNumber
    }

    /// The committer wrote behind the last segment's records.
    mutating func advance(to committed: UInt64, limitBytes: Int, fileBytes: Int) {
        guard !segments.isEmpty else { return }
        segments[segments.count - 1].limitBytes = limitBytes
        segments[segments.count - 1].fileBytes = fileBytes
        self.committed = committed
        commits += 1
        diskHealth = .ok
        isAtCap = false
    }

    /// The committer leaves the last segment.
    /// - Parameter hasFailed: the disk failed here, so the file is not trusted again.
    mutating func sealLast(limitBytes: Int, fileBytes: Int, hasFailed: Bool) {
        guard !segments.isEmpty else { return }
        let last = segments.count - 1
        segments[last].limitBytes = limitBytes
        segments[last].fileBytes = fileBytes
        segments[last].file = nil
        if hasFailed { segments[last].isReusable = false }
    }
}
