import Primitives
import Redis
import Storage
import Synchronization
import Telemetry

/// Sends what is in the journal to the streams, from a position of its own.
///
/// DESIGN. One thread. It reads what is waiting, sends it as one pipeline, looks at every reply and
/// goes on behind the last record that was acknowledged as a whole; so batches grow by themselves
/// under load, and what is sent twice after a failure has the same ids. Its position is noted in a
/// file about once a second (`ForwarderNote`); after a crash it sends a second's worth again.
///
/// Before it sends anything after a lost connection it asks whether Redis still has what it
/// acknowledged (`StreamContinuity`). If not, it begins again with the oldest record that the
/// journal still retains.
///
/// While Redis is away it holds the journal, but only up to half of its cap: beyond that it lets
/// the oldest segments go and notes which rows of the store they became, to send those later.
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
    let continuity: StreamContinuity
    let exchange: ErasureExchange
    let pulse = StreamPulse()
    let log: Logger
    let directory: JournalDirectory
    let marks: RowMarks
    let holdLimitBytes: Int
    let state: Monitor<State>
    private let startNote: ForwarderNote
    // Not a function itself: Swift wraps one that lies behind a generic lock once more with every
    // access, and after some ten thousand accesses calling it overflows the stack (6.3).
    private let observers: Locked<[@Sendable (UInt64) -> Void]> = Locked([])
    private let thread = ThreadSlot()
    /// Since the start: events acknowledged by Redis, times that Redis had lost data.
    package let forwarded = Counter()
    package let losses = Counter()

    init(
        _ parts: StreamParts, note: ForwarderNote, directory: JournalDirectory, marks: RowMarks,
        holdLimitBytes: Int
    ) {
        journal = parts.journal
        store = parts.store
        redis = parts.redis
        options = parts.options
        keys = parts.keys
        continuity = parts.continuity
        exchange = parts.exchange
        log = parts.log
        self.directory = directory
        self.marks = marks
        self.holdLimitBytes = holdLimitBytes
        startNote = note
        state = Monitor(
            State(position: note.position, published: note.position, gaps: note.gaps.count))
    }

    func start() {
        thread.start(name: "forward") { [self] in ForwarderRun(self, startNote).run() }
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
    package var failures: UInt64 { pulse.failures }
    package var error: String? { pulse.error }

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
