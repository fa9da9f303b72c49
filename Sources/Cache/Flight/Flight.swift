import Primitives
internal import Synchronization

/// What computing an answer is given.
package final class FlightOrder: Sendable {
    /// The flight's own: it outlives the caller who began it.
    package let deadline: Deadline
    /// An entry that would do if the data is still what it was; then `.unchanged` is enough.
    package let known: CacheEntry?
    private let cancelled = Atomic<Bool>(false)

    init(deadline: Deadline, known: CacheEntry?) {
        self.deadline = deadline
        self.known = known
    }

    /// Nobody will take the answer any more: what computes should stop.
    package var isCancelled: Bool {
        cancelled.load(ordering: .relaxed) || deadline.hasPassed
    }
    private let others = Atomic<Bool>(false)

    /// More depends on it than the one caller who began it: others wait, or it is a refresh. What
    /// computes for one alone may stop when that one leaves.
    package var isForOthers: Bool { others.load(ordering: .relaxed) }
    func noteOthers() { others.store(true, ordering: .relaxed) }
    func cancel() { cancelled.store(true, ordering: .relaxed) }
}

/// Computes answers. It must call the handler exactly once, from any thread, and should heed its
/// order; a handler that is called too late or never costs the others a wait up to the deadline.
package typealias CacheCompute =
    @Sendable (
        FlightOrder, @escaping @Sendable (CacheComputation) -> Void
    ) -> Void

/// What a question gets, once, on any thread: it must not block.
package typealias CacheCompletion = @Sendable (Result<CacheReply, CacheFailure>) -> Void

/// One caller that waits for a flight.
struct FlightWaiter: Sendable {
    let question: CacheQuestion
    let arrivedAt: MonotonicTime
    let compute: CacheCompute
    /// Nil for a refresh that nobody waits for.
    let completion: CacheCompletion?
    let isLeader: Bool
    /// What it gets if computing fails.
    let fallback: CacheEntry?
    /// Flights that it has waited for and that were no use to it.
    var attempts = 0

    /// Beyond this a waiter takes the error: each attempt is one more run of the query.
    static let attemptLimit = 3
}

/// The one computation of a key, for all who wait for it.
///
///     linked ──► published                     (the usual way)
///        └─────► overdue: unlinked, cancelled; its waiters with time left begin another one
///
/// - Exactly one of publishing and being overdue happens; both unlink first.
/// - A waiter leaves by its own deadline and takes nothing with it.
/// - The result is stored whether or not anybody still waits.
///
/// `FlightTable` guards what changes.
final class Flight: @unchecked Sendable {  // `FlightTable.flights` guards `waiters`, `isOver`.
    let key: Bytes
    let order: FlightOrder
    /// From before anything was read.
    let startedAt: MonotonicTime
    let purgeEpoch: UInt64
    /// The same for the purges of all nodes.
    let sharedPurgeCount: UInt64
    /// When compressing the answer is given up: early enough to publish it before the time of the
    /// one who began the flight is over.
    let codingDeadline: Deadline
    /// Tells this flight's lease in Redis from others.
    let token: String
    let tags: [UInt64]
    /// What its one caller is told, if it is for that one alone: nothing is joined or stored.
    let alone: CacheReply.State?
    var waiters: [FlightWaiter]
    var isOver = false

    private static let publishingTime = Duration.milliseconds(20)

    init(
        key: Bytes, order: FlightOrder, startedAt: MonotonicTime, purgeEpoch: UInt64,
        sharedPurgeCount: UInt64 = 0, alone: CacheReply.State? = nil, first: FlightWaiter
    ) {
        self.key = key
        self.order = order
        self.startedAt = startedAt
        self.purgeEpoch = purgeEpoch
        self.sharedPurgeCount = sharedPurgeCount
        self.alone = alone
        codingDeadline = min(order.deadline, first.question.deadline).before(Flight.publishingTime)
        tags = first.question.tags
        token = String(UInt64.random(in: 0 ... .max), radix: 36)
        waiters = [first]
    }
}
