internal import Glibc
import Primitives

/// Reads committed records in order. One thread at a time; there may be several readers.
///
/// What is damaged or gone is stepped over and counted, here and in the journal's status: a reader
/// never stops at it.
package final class JournalReader {
    /// The sequence that the next record should have. Wait for more with
    /// `journal.waitForCommitted(after: reader.nextSequence - 1, ...)`.
    package private(set) var nextSequence: UInt64
    /// Records that this reader stepped over because their bytes were not what was written.
    package private(set) var damagedRecords: UInt64 = 0
    /// Sequences that this reader did not find.
    package private(set) var missingRecords: UInt64 = 0

    /// Both together.
    package var lostRecords: UInt64 { damagedRecords + missingRecords }

    private let journal: Journal
    private let scanner: SegmentScanner
    private var segment: JournalSegmentHeader?
    private var entries: [JournalEntry] = []

    /// - Parameters:
    ///   - sequence: where to begin; below the oldest one on disk means there.
    ///   - blockBytes: how much is read at once, and the memory it takes. Larger records fit too.
    package init(_ journal: Journal, from sequence: UInt64, blockBytes: Int = 1 << 20) {
        self.journal = journal
        nextSequence = max(1, sequence)
        scanner = SegmentScanner(blockBytes: blockBytes)
    }

    deinit { leave() }

    /// The next committed records; empty if there are none yet. Payloads are valid until the next
    /// call. One call hands out no more than one read brought in, so it may return fewer than asked
    /// although more are there.
    /// - Throws: `.unreadable` if a segment cannot be opened or read now; calling again tries
    ///   again from the same record.
    package func next(
        maxRecords: Int = .max, maxBytes: Int = .max
    ) throws(JournalError) -> [JournalEntry] {
        entries.removeAll(keepingCapacity: true)
        var bytes = 0
        while entries.count < maxRecords, bytes < maxBytes {
            guard let header = segment else {
                guard try goOn() else { break }
                continue
            }
            switch scanner.next(mayRead: entries.isEmpty) {
            case .record(let entry):
                entries.append(entry)
                bytes += entry.payload.count
                nextSequence = entry.sequence + 1
            case .damaged(let sequence):
                guard sequence >= nextSequence else { continue }
                nextSequence = sequence + 1
                count(damaged: 1, in: header, upTo: scanner.offset)
            case .gap(let missing, _):
                nextSequence += missing
                count(missing: missing, in: header, upTo: scanner.offset)
            case .blocked: return entries
            case .failed(let cause):
                leave()
                throw .system(.unreadable, "pread", journal.directory.path, cause)
            case .end:
                guard entries.isEmpty, try goOn() else { return entries }
            }
        }
        return entries
    }

    /// At the end of what may be read: more of the same segment, or the next one.
    /// - Returns: false if nothing more is committed.
    private func goOn() throws(JournalError) -> Bool {
        let (view, committed, floor) = journal.catalog.withLock {
            ($0.view(of: nextSequence), $0.committed, $0.floor)
        }
        guard nextSequence <= committed else { return false }
        guard let view else {
            // Not one segment is left.
            missingRecords += committed - min(committed, max(nextSequence - 1, floor))
            nextSequence = committed + 1
            return false
        }
        guard view.header == segment else { return try enter(view, floor: floor) }
        if scanner.end < view.end || scanner.limit < view.limitBytes {
            scanner.extend(end: view.end, limit: view.limitBytes)
            return true
        }
        // Everything was looked at, and it was not there.
        let missing = view.end - nextSequence
        nextSequence = view.end
        count(missing: missing, in: view.header, upTo: .max)
        return nextSequence <= committed
    }

    private func enter(
        _ view: JournalCatalog.View, floor: UInt64
    ) throws(JournalError) -> Bool {
        leave()
        if nextSequence < view.header.first {
            let missing = view.header.first - min(view.header.first, max(nextSequence, floor + 1))
            nextSequence = view.header.first
            count(missing: missing, in: view.header, upTo: JournalSegmentHeader.bytes)
        }
        // A segment may be dropped between looking and pinning; then the next look finds another.
        let isThere = journal.catalog.withLock { $0.pin(view.header, by: 1) }
        guard isThere else { return true }
        segment = view.header
        do throws(JournalError) {
            let file = try open(view)
            scanner.skipBelow = nextSequence
            scanner.start(
                file, salt: view.header.salt, first: view.header.first, end: view.end,
                limit: view.limitBytes)
            return true
        } catch {
            leave()
            guard error.cause == ENOENT else { throw error }
            // Somebody removed it while we run. The records are gone; the service goes on.
            let missing = view.end - nextSequence
            nextSequence = view.end
            count(missing: missing, in: view.header, upTo: .max)
            return true
        }
    }

    private func open(_ view: JournalCatalog.View) throws(JournalError) -> SegmentFile {
        if let file = view.file { return file }
        return try journal.directory.open(view.name)
    }

    private func leave() {
        guard let header = segment else { return }
        segment = nil
        _ = journal.catalog.withLock { $0.pin(header, by: -1) }
    }

    private func count(
        damaged: UInt64 = 0, missing: UInt64 = 0, in header: JournalSegmentHeader,
        upTo offset: Int
    ) {
        damagedRecords += damaged
        missingRecords += missing
        guard damaged + missing > 0 else { return }
        let isNews = journal.catalog.withLock {
            $0.count(damaged: damaged, missing: missing, in: header, upTo: offset)
        }
        guard isNews else { return }
        journal.log.error("the journal is damaged") {
            $0.add("damaged_records", damaged)
            $0.add("missing_records", missing)
            $0.add("before_sequence", nextSequence)
        }
    }
}
