import Primitives

/// What sinks want written down, handed over by any thread: dead letters, and how far each sink has
/// come in this store. The writer's thread does so with `maintain`, all of it in one transaction, so
/// a position is never kept without the dead letters that lie before it.
package final class SinkInbox: Sendable {
    /// What waits, and up to where earlier submissions have come.
    struct State {
        var letters: [DeadLetterEntry] = []
        var replayed: [(seqs: [Int64], time: Int64)] = []
        /// The newest position of each sink.
        var positions: [String: Int64] = [:]
        var letterBytes = 0
        /// Counts submissions: a ticket is the number of one.
        var submitted: UInt64 = 0
        var written: UInt64 = 0
        var durable: UInt64 = 0

        var isEmpty: Bool { letters.isEmpty && replayed.isEmpty && positions.isEmpty }
    }

    /// 8 MiB: 32 events of the greatest size between two transactions.
    private static let limitBytes = 8 << 20

    private let state = Monitor(State())

    /// Hands dead letters over, and the position behind them.
    /// - Parameters:
    ///   - position: all events of the store up to this `seq` are delivered, dead or not wanted;
    ///     nil for a sink that does not read the store.
    /// - Returns: a ticket for `waitUntilDurable`; nil if there is no room at the moment and nothing
    ///   was taken.
    package func settle(
        _ letters: [DeadLetterEntry], sink: String, position: Int64?
    ) -> UInt64? {
        let cost = letters.reduce(0) { $0 + $1.costBytes }
        return state.withLock { state in
            // A single submission that is larger than the limit is taken when nothing else waits.
            guard state.letterBytes == 0 || state.letterBytes + cost <= SinkInbox.limitBytes else {
                return nil
            }
            state.letters += letters
            state.letterBytes += cost
            if let position { state.positions[sink] = position }
            state.submitted += 1
            return state.submitted
        }
    }

    /// Notes that these dead letters were delivered after all.
    /// - Returns: a ticket, as `settle`.
    @discardableResult
    package func markReplayed(_ seqs: [Int64], at time: Int64) -> UInt64 {
        state.withLock { state in
            state.replayed.append((seqs, time))
            state.submitted += 1
            return state.submitted
        }
    }

    /// Waits until what the ticket stands for can be read.
    /// - Returns: false if the deadline passed first.
    package func waitUntilWritten(_ ticket: UInt64, deadline: Deadline) -> Bool {
        state.wait(until: deadline, for: { $0.written >= ticket }, then: { _ in true }) ?? false
    }

    /// Waits until no power failure takes away what the ticket stands for.
    /// - Returns: false if the deadline passed first.
    package func waitUntilDurable(_ ticket: UInt64, deadline: Deadline) -> Bool {
        state.wait(until: deadline, for: { $0.durable >= ticket }, then: { _ in true }) ?? false
    }

    /// More than positions waits; those alone may wait a little, since an older one costs only
    /// repeated deliveries after a crash.
    var isUrgent: Bool { state.withLock { !$0.letters.isEmpty || !$0.replayed.isEmpty } }
    var isEmpty: Bool { state.withLock { $0.isEmpty } }

    /// What waits. It stays counted until `discard`.
    func pending() -> State { state.withLock { $0 } }

    /// Forgets what `pending` gave: it has been committed.
    func discard(_ written: State) {
        state.change { state in
            for letter in written.letters { state.letterBytes -= letter.costBytes }
            state.letters.removeFirst(written.letters.count)
            state.replayed.removeFirst(written.replayed.count)
            for (sink, position) in written.positions where state.positions[sink] == position {
                state.positions[sink] = nil
            }
            state.written = written.submitted
        }
    }

    /// Everything written so far is safe from a power failure.
    func becomeDurable() {
        state.change { $0.durable = $0.written }
    }
}
