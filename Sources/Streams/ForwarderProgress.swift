import EventCoding
import Journal
import Primitives
import Storage
import Telemetry

/// How far the forwarder is, in memory and, with some delay, in its file. The forwarder's thread only.
struct ForwarderProgress {
    private(set) var checkpoint: ForwarderCheckpoint
    private let marks: RowMarks
    private let directory: JournalDirectory
    private let log: Logger
    private var hasChanged = false
    private var nextWrite = MonotonicTime.now()
    /// The journal was let go of records, and the file does not say yet which rows they became. The
    /// journal must not release them before: after a crash only the file knows of the gap.
    private(set) var hasUnwrittenGap = false

    /// Between two writes: what a crash sends again.
    private static let writeInterval = Duration.seconds(1)

    init(
        _ checkpoint: ForwarderCheckpoint, marks: RowMarks, directory: JournalDirectory, log: Logger
    ) {
        self.checkpoint = checkpoint
        self.marks = marks
        self.directory = directory
        self.log = log
        if let kept = checkpoint.kept { marks.begin(with: kept) }
    }

    /// The last record whose events Redis has acknowledged, and those of all before it.
    var position: UInt64 { checkpoint.position }
    /// Rows that are to be sent before any record.
    var gap: ForwarderCheckpoint.Gap? { checkpoint.gaps.first }
    var gapCount: Int { checkpoint.gaps.count }

    /// Another number of partitions than an earlier run sent to.
    func isRepartitioned(_ partitions: Int) -> Bool {
        !checkpoint.ends.isEmpty && checkpoint.ends.count != partitions
    }

    /// Redis has everything up to `position`, or there is nothing to send up to there.
    mutating func advance(to position: UInt64) {
        hasChanged = true
        checkpoint.position = max(checkpoint.position, position)
        raiseRows()
    }

    /// The last id that each partition gave.
    mutating func acknowledged(_ ends: [StreamEntryID]) {
        hasChanged = true
        if checkpoint.ends.count != ends.count {
            checkpoint.ends = Array(repeating: .zero, count: ends.count)
        }
        for (index, end) in ends.enumerated() {
            checkpoint.ends[index] = max(checkpoint.ends[index], end)
        }
    }

    /// Rows of the first gap were sent.
    /// - Parameter last: up to this row; nil if that was all.
    mutating func sentGap(through last: Int64?) {
        hasChanged = true
        if let last {
            checkpoint.gaps[0].after = last
        } else {
            checkpoint.gaps.removeFirst()
        }
        raiseRows()
    }

    /// Everything is sent again that the journal retains.
    /// - Parameter oldest: the last record that is not in the journal any more.
    mutating func rewind(to oldest: UInt64, partitions: Int) {
        hasChanged = true
        checkpoint.position = min(checkpoint.position, oldest)
        // What lies before the journal is not sent again. Where it is not known which rows do, none
        // do: a gap begins there.
        checkpoint.rows = min(checkpoint.rows, marks.rows(behind: oldest) ?? 0)
        checkpoint.ends = Array(repeating: .zero, count: partitions)
    }

    /// The journal may let go of records that were not sent: the store has them.
    /// - Parameters:
    ///   - position: up to this one.
    ///   - lastRow: the store's last row; theirs are not above it.
    ///   - oldest: the last record that is not in the journal any more.
    mutating func letGo(upTo position: UInt64, lastRow: Int64, oldest: UInt64) {
        hasChanged = true
        hasUnwrittenGap = true
        // A file that was lost does not know of what the journal has long let go.
        let rows = max(checkpoint.rows, marks.rows(behind: oldest) ?? 0)
        checkpoint.addGap(
            after: rows, upTo: min(marks.rows(through: position) ?? lastRow, lastRow))
        checkpoint.position = position
        raiseRows()
    }

    private mutating func raiseRows() {
        guard let rows = marks.rows(behind: checkpoint.position) else { return }
        checkpoint.rows = max(checkpoint.rows, rows)
    }

    /// Writes the file, if there is news and it is time.
    /// - Parameters:
    ///   - oldest: the last record that is not in the journal any more.
    ///   - isLast: the thread ends.
    mutating func write(
        oldest: @autoclosure () -> UInt64, _ lossDetector: RedisLossDetector, isLast: Bool = false
    ) {
        guard hasChanged, isLast || hasUnwrittenGap || MonotonicTime.now() >= nextWrite else {
            return
        }
        nextWrite = .now() + ForwarderProgress.writeInterval
        checkpoint.runID = lossDetector.runID
        checkpoint.marked = lossDetector.markToKeep
        let oldest = oldest()
        if let rows = marks.rows(behind: oldest) {
            checkpoint.kept = CommitPoint(position: oldest, lastSeq: rows)
        }
        do throws(JournalError) {
            try checkpoint.write(in: directory)
            hasChanged = false
            hasUnwrittenGap = false
        } catch {
            log.warning("the forwarder's checkpoint cannot be written") {
                $0.add("error", error.message)
            }
        }
    }
}
