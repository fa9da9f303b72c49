import Journal
import Primitives
import Redis
import Storage
import Synchronization
import Telemetry

// DESIGN
//
// One thread, one pipeline in flight. Batches grow by themselves under load, since a pipeline takes what
// waits; what is sent twice after a failure has the same ids.
//
//                    a doubt, or a new connection
//       ┌─────────────────────────────────────────────────────┐
//       ▼                                                     │
//    looking ──── Redis has all of it ──▶ sending records ────┤
//       │                                   ▲        │        │
//       │ it lost data: rewind to the       │        │ the journal is half full:
//       │ oldest record in the journal      │        ▼ its oldest records go
//       └──────────────────────────────▶ sending rows of the store that were let go
//
// INVARIANTS
// - Redis acknowledged all events of the records up to the position, or the gaps name their rows, or
//   there are none.
// - Nothing is sent on a connection before Redis was looked at on it.
// - The journal is released up to the position, and only once the file names all gaps: after a crash
//   only the file knows of them.
// - Of a partition, events are sent in the order of the journal. What a partition has is not sent to it
//   again because another refused its part.
// - Nothing beyond the record at which an erasure began is sent before that erasure is announced.

/// Sends what is in the journal to the streams.
///
/// Its position is in a file that is written about once a second (`ForwarderCheckpoint`); after a crash
/// it sends a second's worth again. While Redis is away it holds the journal, but only up to half of its
/// cap: beyond that it lets the oldest segments go, and sends those events from the store later.
package final class StreamForwarder: Sendable {
    /// The journal keeps what this consumer has not sent.
    package static let consumer = "forwarder"

    struct State {
        var isStopping = false
        var stopDeadline = Deadline.never
        var position: UInt64 = 0
        /// Never goes back: what a client was told stays true of what Redis once had.
        var published: UInt64 = 0
        var gaps = 0
    }

    let journal: Journal
    let store: EventStore
    let redis: GuardedRedis
    let options: StreamOptions
    let keys: StreamKeys
    let lossDetector: RedisLossDetector
    let exchange: ErasureExchange
    let health = LinkHealth()
    let log: Logger
    let holdLimitBytes: Int
    let state: Monitor<State>
    private let beginning: ForwarderProgress
    // Not a function itself: Swift wraps one that lies behind a generic lock once more with every
    // access, and after some ten thousand accesses calling it overflows the stack (6.3).
    private let observers: Locked<[@Sendable (UInt64) -> Void]> = Locked([])
    private let thread = ThreadSlot()
    /// Since the start: events acknowledged by Redis, times that Redis had lost data.
    package let forwarded = Counter()
    package let losses = Counter()

    /// - Parameter start: where an earlier run ended.
    init(_ parts: StreamParts, from start: ForwarderProgress, holdLimitBytes: Int) {
        journal = parts.journal
        store = parts.store
        redis = parts.redis
        options = parts.options
        keys = parts.keys
        lossDetector = parts.lossDetector
        exchange = parts.exchange
        log = parts.log
        self.holdLimitBytes = holdLimitBytes
        beginning = start
        state = Monitor(
            State(position: start.position, published: start.position, gaps: start.gapCount))
    }

    func start() {
        thread.start(name: "forward") { [self] in ForwarderRun(self, beginning).run() }
    }

    /// Sends what is waiting while Redis takes it, until `deadline`, and ends the thread.
    func stop(until deadline: Deadline) {
        state.change { state in
            state.isStopping = true
            state.stopDeadline = deadline
        }
        thread.join()
    }

    /// Everything up to it has been acknowledged by Redis, though Redis may have lost it since.
    package var forwardedSequence: UInt64 { state.withLock { $0.published } }
    /// Where it reads; goes back when Redis has lost data.
    package var position: UInt64 { state.withLock { $0.position } }
    /// Outages whose events it has still to send from the store.
    package var gaps: Int { state.withLock { $0.gaps } }

    /// Attempts that failed since the start, and why it fails now; nil while it does not.
    package var failures: UInt64 { health.failures }
    package var error: String? { health.error }

    /// Calls `observer` whenever `forwardedSequence` grows, on the forwarder's thread.
    package func onForwarded(_ observer: @escaping @Sendable (UInt64) -> Void) {
        observers.withLock { $0.append(observer) }
    }

    /// The thread tells where it is.
    func publish(position: UInt64, gaps: Int) {
        let grown = state.withLock { state -> UInt64? in
            state.position = position
            state.gaps = gaps
            // What the journal let go of unsent lies below the position until it is sent.
            guard gaps == 0, position > state.published else { return nil }
            state.published = position
            return position
        }
        guard let grown else { return }
        for observer in observers.withLock({ $0 }) { observer(grown) }
    }
}
