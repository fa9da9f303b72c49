import Journal
import Primitives
import Storage

/// Batches between the consumer, which reads them, and the writer, which stores them.
///
///     taken ── put ──▶ waiting ── next ──▶ lent ── stored ──┐
///       │                 ▲                  │              ├──▶ stored entries ── takeStored ──▶
///       │                 └──── putBack ─────┘              │
///       └───────── hold: there is nothing to store ─────────┘
///
/// Two batches wait at most, while one is stored and one is read: at 8,000 entries of 300 bytes each,
/// some 10 MB together. Of entries that wait to be acknowledged there are 32,768 and those of a batch
/// at most, 16 bytes each, so that acknowledging all of them at once is answered in time. Any thread.
package final class StreamQueue: Sendable {
    fileprivate struct State {
        var waiting: [StreamBatch] = []
        var free: [StreamBatch] = []
        /// The writer has one.
        var isLent = false
        var isClosed = false
        /// Not yet acknowledged to Redis.
        var stored: [StoredEntries] = []
        var storedCount = 0
        /// Where the store is.
        var position: UInt64
        /// Until then storing counts as too slow.
        var lateUntil = MonotonicTime(nanoseconds: 0)
    }

    fileprivate static let limit = 2
    fileprivate static let storedLimit = 1 << 15
    /// How long an entry may take from the consumer to the store.
    fileprivate static let patience = Duration.seconds(1)
    /// Long enough to work off what has gathered in Redis meanwhile.
    fileprivate static let lateTime = Duration.seconds(10)

    private let state: Monitor<State>
    private let partitions: Int
    private let journal: Journal
    private let erasures: ErasureBook

    init(partitions: Int, journal: Journal, store: EventStore) {
        self.partitions = partitions
        self.journal = journal
        erasures = store.erasures
        state = Monitor(State(position: store.position))
        _ = store.onCommit { [state] point in state.change { $0.advance(to: point.position) } }
    }

    // MARK: The consumer's side

    /// An empty batch to fill.
    func take() -> StreamBatch {
        let identity = journal.identity
        let batch =
            state.withLock { $0.free.popLast() }
            ?? StreamBatch(partitions: partitions, journal: identity)
        // Both from before anything is read into it.
        batch.journal = identity
        batch.erasureEpoch = erasures.epoch
        return batch
    }

    /// Takes a batch back that is not used.
    func giveBack(_ batch: StreamBatch) { state.withLock { $0.giveBack(batch) } }

    /// Waits until there is room for another batch, or something to acknowledge.
    /// - Returns: whether there is room; false when closed or at the deadline too.
    func waitForRoom(until deadline: Deadline) -> Bool {
        state.wait(until: deadline, for: { $0.hasRoom || $0.isClosed || $0.hasComplete }) {
            $0.hasRoom && !$0.isClosed
        } ?? false
    }

    /// Hands a batch over. The writer has to be woken: it waits for the journal as well.
    func put(_ batch: StreamBatch) {
        batch.readyAt = .now()
        state.change { $0.waiting.append(batch) }
    }

    /// Takes a batch in which there is nothing to store.
    func hold(_ batch: StreamBatch) {
        batch.readyAt = .now()
        state.change { $0.keep(batch) }
    }

    /// What may be acknowledged since the last call.
    /// - Returns: also whether other entries have to be read again, for the journal lost a record
    ///   that may be one of theirs.
    func takeStored() -> (entries: [StoredEntries], hasForgotten: Bool) {
        let position = state.withLock { $0.position }
        // After the position: a journal that lost a record has its new name before the store passes
        // that record. Not under the lock: the writer asks for batches under the journal's.
        let identity = journal.identity
        return state.change { $0.takeStored(at: position, identity) }
    }

    /// Waits until nothing is left to store or to acknowledge, or something may be acknowledged.
    /// - Returns: whether nothing is left; false at the deadline too.
    func waitUntilStored(until deadline: Deadline) -> Bool {
        state.wait(
            until: deadline, for: { $0.isDrained || $0.isClosed || $0.hasComplete },
            then: { $0.isDrained }) ?? false
    }

    // MARK: The writer's side

    /// A batch waits to be stored.
    package var hasWaiting: Bool { state.withLock { !$0.waiting.isEmpty } }

    /// The next batch; nil if none waits.
    package func next() -> StreamBatch? {
        state.withLock { state in
            guard !state.waiting.isEmpty else { return nil }
            state.isLent = true
            return state.waiting.removeFirst()
        }
    }

    /// The batch is committed.
    package func stored(_ batch: StreamBatch) {
        state.change { state in
            state.isLent = false
            state.keep(batch)
        }
    }

    /// The batch could not be stored and is tried again.
    package func putBack(_ batch: StreamBatch) {
        state.change { state in
            state.isLent = false
            state.waiting.insert(batch, at: 0)
        }
    }

    /// Whether what Redis brought has lately waited too long for the store: on a machine that others
    /// keep busy, a thread that yields may hardly get a core.
    var isLate: Bool {
        let now = MonotonicTime.now()
        return state.withLock { state in
            let oldest = state.stored.first { !$0.isComplete(at: state.position) }?.readAt
            if let oldest, now.since(oldest) > StreamQueue.patience {
                state.lateUntil = now + StreamQueue.lateTime
            }
            return now < state.lateUntil
        }
    }

    func close() { state.change { $0.isClosed = true } }
}

extension StreamQueue.State {
    fileprivate var hasRoom: Bool {
        waiting.count < StreamQueue.limit && storedCount < StreamQueue.storedLimit
    }

    /// Something may be acknowledged.
    fileprivate var hasComplete: Bool { stored.contains { $0.isComplete(at: position) } }

    fileprivate var isDrained: Bool { waiting.isEmpty && !isLent && stored.isEmpty }

    fileprivate mutating func advance(to position: UInt64) {
        self.position = max(self.position, position)
    }

    fileprivate mutating func giveBack(_ batch: StreamBatch) {
        batch.removeAll()
        if free.count <= StreamQueue.limit { free.append(batch) }
    }

    fileprivate mutating func keep(_ batch: StreamBatch) {
        let now = MonotonicTime.now()
        if now.since(batch.readyAt) > StreamQueue.patience {
            lateUntil = now + StreamQueue.lateTime
        }
        let entries = StoredEntries(batch)
        storedCount += entries.count
        giveBack(batch)
        if let last = stored.indices.last, !stored[last].isComplete(at: position),
            stored[last].merge(entries)
        {
            return
        }
        stored.append(entries)
    }

    fileprivate mutating func takeStored(
        at position: UInt64, _ journal: JournalIdentity
    ) -> (entries: [StoredEntries], hasForgotten: Bool) {
        var taken: (entries: [StoredEntries], hasForgotten: Bool) = ([], false)
        var left: [StoredEntries] = []
        for entries in stored {
            if entries.isForgotten(by: journal) {
                taken.hasForgotten = true
            } else if entries.isComplete(at: position) {
                taken.entries.append(entries)
            } else {
                left.append(entries)
            }
        }
        stored = left
        storedCount = left.reduce(0) { $0 + $1.count }
        return taken
    }
}
