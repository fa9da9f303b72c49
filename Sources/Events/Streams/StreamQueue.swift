import Primitives
import Storage

/// Batches between the consumer, which reads them, and the writer, which stores them.
///
/// Two wait at most, while one is stored and one is read: at 8,000 entries of 300 bytes each, some
/// 10 MB together. Any thread.
final class StreamQueue: Sendable {
    private struct State {
        var waiting: [StreamBatch] = []
        /// Stored, and not yet acknowledged to Redis.
        var stored: [StreamBatch] = []
        var free: [StreamBatch] = []
        /// The writer has one.
        var isLent = false
        var isClosed = false
        /// Someone wants the writer to look around.
        var isRung = false
        /// Until then storing counts as too slow.
        var lateUntil = MonotonicTime(nanoseconds: 0)

        var isDrained: Bool { waiting.isEmpty && !isLent }
    }

    private static let limit = 2
    /// How long a batch may take from the consumer to the store.
    private static let patience = Duration.seconds(1)
    /// Long enough to work off what has gathered in Redis meanwhile.
    private static let lateTime = Duration.seconds(10)

    private let state = Monitor(State())
    private let partitions: Int
    private let erasures: ErasureBook

    init(partitions: Int, erasures: ErasureBook) {
        self.partitions = partitions
        self.erasures = erasures
    }

    // MARK: The consumer's side

    /// An empty batch to fill.
    func take() -> StreamBatch {
        let batch = state.withLock { $0.free.popLast() } ?? StreamBatch(partitions: partitions)
        // Before anything is read into it.
        batch.erasureEpoch = erasures.epoch
        return batch
    }

    /// Takes a batch back that is not used.
    func giveBack(_ batch: StreamBatch) {
        batch.removeAll()
        state.withLock { state in
            if state.free.count <= StreamQueue.limit { state.free.append(batch) }
        }
    }

    /// Waits until there is room for another batch, or something to acknowledge.
    /// - Returns: whether there is room; false when closed or at the deadline too.
    func waitForRoom(until deadline: Deadline) -> Bool {
        let ready: (inout State) -> Bool = {
            $0.waiting.count < StreamQueue.limit || $0.isClosed || !$0.stored.isEmpty
        }
        return state.wait(until: deadline, for: ready) {
            $0.waiting.count < StreamQueue.limit && !$0.isClosed
        } ?? false
    }

    func put(_ batch: StreamBatch) {
        batch.readyAt = .now()
        state.change { $0.waiting.append(batch) }
    }

    /// What has been stored since the last call, to be acknowledged.
    func takeStored() -> [StreamBatch] {
        state.withLock { state in
            defer { state.stored = [] }
            return state.stored
        }
    }

    /// Waits until nothing waits and nothing is being stored, or there is something to acknowledge.
    /// - Returns: whether everything is stored; false at the deadline too.
    func waitUntilStored(until deadline: Deadline) -> Bool {
        state.wait(
            until: deadline,
            for: { $0.isDrained || $0.isClosed || !$0.stored.isEmpty },
            then: { $0.isDrained }) ?? false
    }

    /// Nothing waits and nothing is being stored.
    var isDrained: Bool { state.withLock { $0.isDrained } }

    // MARK: The writer's side

    /// The next batch; nil if none comes until `deadline` or somebody rings.
    func next(until deadline: Deadline) -> StreamBatch? {
        state.wait(
            until: deadline, for: { !$0.waiting.isEmpty || $0.isRung || $0.isClosed },
            then: { state -> StreamBatch? in
                state.isRung = false
                guard !state.waiting.isEmpty else { return nil }
                state.isLent = true
                return state.waiting.removeFirst()
            }) ?? nil
    }

    /// Wakes the writer: something other than a batch has changed.
    func ring() { state.change { $0.isRung = true } }

    /// The batch is committed.
    func stored(_ batch: StreamBatch) {
        let now = MonotonicTime.now()
        let isLate = now.since(batch.readyAt) > StreamQueue.patience
        state.change { state in
            state.isLent = false
            state.stored.append(batch)
            if isLate { state.lateUntil = now + StreamQueue.lateTime }
        }
    }

    /// The batch could not be stored and is tried again.
    func putBack(_ batch: StreamBatch) {
        state.change { state in
            state.isLent = false
            state.waiting.insert(batch, at: 0)
        }
    }

    /// Whether what Redis brought has lately waited too long: on a machine that others keep busy, a
    /// thread that yields may hardly get a core.
    var isLate: Bool { state.withLock { MonotonicTime.now() < $0.lateUntil } }

    func close() { state.change { $0.isClosed = true } }
}
