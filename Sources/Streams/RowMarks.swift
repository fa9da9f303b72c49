import Primitives
import Storage

/// Remembers which rows the store had when it reached which journal position, so that records the
/// journal lets go of unsent can be found again among the rows.
///
/// 512 marks at most; beyond that every other one goes. Fewer marks make a gap start earlier, so
/// some rows are sent that need not be. Any thread.
final class RowMarks: Sendable {
    private static let limit = 512

    private let marks: Locked<[CommitPoint]>

    /// - Parameter start: rows of records behind `start.position` are above `start.lastSeq`.
    init(start: CommitPoint) { marks = Locked([start]) }

    /// What an earlier run knew: without it nothing were known of what the journal retains from then.
    func begin(with point: CommitPoint) {
        marks.withLock { marks in
            guard let first = marks.first, point.position < first.position,
                point.lastSeq <= first.lastSeq
            else { return }
            marks.insert(point, at: 0)
        }
    }

    func add(_ point: CommitPoint) {
        marks.withLock { marks in
            guard let last = marks.last, point.position > last.position else { return }
            if marks.count >= RowMarks.limit {
                marks = marks.enumerated().filter { $0.offset % 2 == 0 }.map(\.element)
            }
            marks.append(point)
        }
    }

    /// No record up to `sequence` has rows above this; nil if nothing is known of it.
    func rows(through sequence: UInt64) -> Int64? {
        // The first may be an earlier run's, of which only a lower bound is known.
        marks.withLock { marks in marks.dropFirst().first { $0.position >= sequence }?.lastSeq }
    }

    /// Every record behind `sequence` has its rows above this; nil if nothing is known of it.
    func rows(behind sequence: UInt64) -> Int64? {
        marks.withLock { marks in marks.last { $0.position <= sequence }?.lastSeq }
    }
}
