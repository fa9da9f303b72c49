import Primitives

/// Tells when so many events come in a row that it pays to store them together.
///
/// A transaction with a thousand events costs a third of ten with a hundred, since each writes the
/// same hot pages anew. A few events are stored at once all the same.
struct GatherWindow {
    /// How long events gather; what `/query` shows is older by this, but only under load.
    static let length = Duration.milliseconds(40)
    /// Fewer events in a window are not waited for.
    static let crowd = 64

    private var end = Deadline(MonotonicTime(nanoseconds: 0))
    private var events = 0

    /// Counts what was stored just now.
    /// - Returns: when to store again; nil for at once.
    mutating func stored(_ count: Int, now: MonotonicTime) -> Deadline? {
        if now >= end.time {
            end = Deadline(now + GatherWindow.length)
            events = 0
        }
        events += count
        return events >= GatherWindow.crowd ? end : nil
    }
}
