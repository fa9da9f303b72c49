import Primitives

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
    }

    private static let limit = 2

    private let state = Monitor(State())
    private let partitions: Int

    init(partitions: Int) { self.partitions = partitions }

    // MARK: The consumer's side

    /// An empty batch to fill.
    func take() -> StreamBatch {
        state.withLock { $0.free.popLast() } ?? StreamBatch(partitions: partitions)
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
        state.change { $0.waiting.append(batch) }
    }

    /// What has been stored since the last call, to be acknowledged.
    func takeStored() -> [StreamBatch] {
        state.withLock { state in
            defer { state.stored = [] }
            return state.stored
        }
    }

    /// Drops what waits: Redis still has it pending, and it will be read again.
    func removeWaiting() {
        let dropped = state.change { state -> [StreamBatch] in
            defer { state.waiting = [] }
            return state.waiting
        }
        for batch in dropped { giveBack(batch) }
    }

    /// Nothing waits and nothing is being stored.
    var isDrained: Bool { state.withLock { $0.waiting.isEmpty && !$0.isLent } }

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
        state.change { state in
            state.isLent = false
            state.stored.append(batch)
        }
    }

    /// The batch could not be stored and is tried again.
    func putBack(_ batch: StreamBatch) {
        state.change { state in
            state.isLent = false
            state.waiting.insert(batch, at: 0)
        }
    }

    func close() { state.change { $0.isClosed = true } }
}
