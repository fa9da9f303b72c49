import Primitives

/// What of this node's journal is known to be in its store by way of the streams.
///
/// DESIGN. The journal may let go of a record only when its events are stored. On the way through
/// Redis nobody sees a record arrive as a whole: its events are spread over partitions and come
/// back among others. But ids of a partition only grow, and the consumer reads a partition in their
/// order. So the forwarder notes, with each pipeline that Redis acknowledged, the last id that it
/// was given in each partition (a checkpoint), and the consumer says of each batch how far it
/// reaches in each partition. Once the store has committed up to all the ids of a checkpoint,
/// every record up to the checkpoint's is stored.
///
/// Whatever puts this in doubt (Redis lost data, the group was destroyed, a cap cut unread
/// entries) begins a new era: checkpoints and reach are forgotten, and `directTarget` asks the
/// writer to store this node's records from the journal itself up to where it is now. The journal
/// still has them, because nothing was released. That is the whole of recovery for the node's own
/// store, whatever it was that happened to Redis.
///
/// Any thread.
final class StreamLedger: Sendable {
    private struct Checkpoint {
        var sequence: UInt64
        var ends: [StreamEntryID]
    }

    private struct State {
        var era: UInt64 = 1
        /// In the order of their sequences.
        var checkpoints: [Checkpoint] = []
        var reached: [StreamEntryID]
        var settled: UInt64
        var directTarget: UInt64 = 0
    }

    /// Beyond it the newest two become one, which only delays what is known.
    private static let checkpointLimit = 1024

    private let state: Locked<State>

    /// - Parameters:
    ///   - settled: the sequence up to which everything is stored.
    ///   - directTarget: the last record that the streams may tell nothing of. What the group
    ///     acknowledged before this start can be missing again in a store that lost its last
    ///     commits with the power.
    init(partitions: Int, settled: UInt64, directTarget: UInt64 = 0) {
        state = Locked(
            State(
                reached: Array(repeating: .zero, count: partitions), settled: settled,
                directTarget: directTarget))
    }

    var era: UInt64 { state.withLock { $0.era } }

    /// Everything up to this sequence is stored, as far as the streams tell.
    var settled: UInt64 { state.withLock { $0.settled } }

    /// The writer stores from the journal up to here before it trusts the streams again.
    var directTarget: UInt64 { state.withLock { $0.directTarget } }

    /// Redis has acknowledged all events of the records up to `sequence`.
    /// - Parameters:
    ///   - ends: the last id of each partition that they were given.
    ///   - era: when they were sent.
    /// - Returns: whether more is settled now.
    @discardableResult
    func forwarded(upTo sequence: UInt64, ends: [StreamEntryID], era: UInt64) -> Bool {
        state.withLock { state in
            guard era == state.era else { return false }
            let before = state.settled
            let checkpoint = Checkpoint(sequence: sequence, ends: ends)
            if state.checkpoints.count >= StreamLedger.checkpointLimit {
                state.checkpoints[state.checkpoints.count - 1] = checkpoint
            } else {
                state.checkpoints.append(checkpoint)
            }
            settle(&state)
            return state.settled > before
        }
    }

    /// Where the store will be once `batch` is committed: goes into its transaction.
    func position(afterStoring batch: StreamBatch) -> UInt64 {
        state.withLock { state in
            guard batch.era == state.era else { return state.settled }
            var next = state
            reach(batch, &next)
            return next.settled
        }
    }

    /// The writer has stored the journal itself up to `sequence`.
    func storedDirectly(upTo sequence: UInt64) {
        state.withLock { state in
            state.settled = max(state.settled, sequence)
            settle(&state)
        }
    }

    /// `batch` is committed.
    func stored(_ batch: StreamBatch) {
        state.withLock { state in
            guard batch.era == state.era else { return }
            reach(batch, &state)
        }
    }

    /// Nothing that was noted can be trusted any more.
    /// - Parameters:
    ///   - target: the last record that may be missing in the store.
    ///   - ends: the last id of each partition that a record up to the target was given. They are
    ///     as good as reached, for all those records are stored from the journal; a group that is
    ///     new, or whose stream was emptied, would never get there.
    /// - Returns: the era that begins.
    @discardableResult
    func beginEra(storeDirectlyUpTo target: UInt64, ends: [StreamEntryID]) -> UInt64 {
        state.withLock { state in
            state.era += 1
            state.checkpoints.removeAll()
            state.reached = ends
            state.directTarget = max(state.directTarget, target)
            return state.era
        }
    }

    /// At the start: nothing that was sent before lies beyond these ids, and all of it is stored from
    /// the journal.
    func start(ends: [StreamEntryID]) {
        state.withLock { state in
            for index in state.reached.indices {
                state.reached[index] = max(state.reached[index], ends[index])
            }
            settle(&state)
        }
    }

    private func reach(_ batch: StreamBatch, _ state: inout State) {
        for index in state.reached.indices {
            state.reached[index] = max(state.reached[index], batch.reach[index])
        }
        settle(&state)
    }

    private func settle(_ state: inout State) {
        // Checkpoints speak of what was sent in this era, and say nothing of records before it.
        guard state.settled >= state.directTarget else { return }
        var count = 0
        for checkpoint in state.checkpoints {
            for (reached, end) in zip(state.reached, checkpoint.ends) where reached < end {
                return drop(count, &state)
            }
            count += 1
        }
        drop(count, &state)
    }

    private func drop(_ count: Int, _ state: inout State) {
        guard count > 0 else { return }
        state.settled = max(state.settled, state.checkpoints[count - 1].sequence)
        state.checkpoints.removeFirst(count)
    }
}
