import Journal
import Primitives

/// What one transaction of the store took.
struct StoreBatch {
    private(set) var events = 0
    /// Of the journal.
    private(set) var records: UInt64 = 0
    /// From its begin to its end.
    private(set) var elapsed = Duration.zero
    /// The part of `elapsed` for which its thread could have run and had no core.
    private(set) var waited = Duration.zero
    /// It waited for a core for half of its time or more.
    var isStarved: Bool { waited > elapsed / 2 }
    private let began = MonotonicTime.now()
    private let waitedBefore = CoreWait.ofThisThread()

    /// On the thread that made it.
    mutating func end(events: Int, records: UInt64) {
        self.events = events
        self.records = records
        elapsed = MonotonicTime.now().since(began)
        waited = CoreWait.ofThisThread() - waitedBefore
    }
}
