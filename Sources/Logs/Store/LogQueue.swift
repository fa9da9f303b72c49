import Primitives

/// Batches on their way to the store's thread, bounded by their bytes. Any thread.
final class LogQueue: Sendable {
    /// Work for the thread between batches; what was queued before it is written before it, and what
    /// is queued after it does not hold it up for more than a turn.
    typealias Job = @Sendable (LogStoreWriter) -> Void

    /// What the thread takes at a time.
    struct Turn {
        var batches: [LogBatch] = []
        var jobs: [Job] = []
        /// Nothing comes any more.
        var isLast = false
    }

    private struct State {
        var batches: [LogBatch] = []
        /// Oldest first, each with how many batches had been queued before it.
        var jobs: [(job: Job, after: UInt64)] = []
        var bytes = 0
        var records = 0
        /// Counts batches that were queued, and those that are written.
        var queued: UInt64 = 0
        var written: UInt64 = 0
        /// Somebody waits for what is queued.
        var isUrgent = false
        var isClosed = false
    }

    /// Of one transaction; what is queued beyond it is in the next.
    private static let turnBytes = 8 << 20

    private let limitBytes: Int
    private let state = Monitor(State())

    init(limitBytes: Int) { self.limitBytes = limitBytes }

    /// - Returns: false if there is no room, or nothing is taken any more. A batch larger than all
    ///   of the room is taken by an empty queue.
    func add(_ batch: LogBatch) -> Bool {
        state.change { state in
            guard !state.isClosed,
                state.bytes == 0 || state.bytes + batch.byteCount <= limitBytes
            else { return false }
            state.batches.append(batch)
            state.bytes += batch.byteCount
            state.records += batch.count
            state.queued += 1
            return true
        }
    }

    /// - Returns: false once the queue is closed; the job will not run.
    func add(_ job: @escaping Job) -> Bool {
        state.change { state in
            guard !state.isClosed else { return false }
            state.jobs.append((job, state.queued))
            return true
        }
    }

    func close() { state.change { $0.isClosed = true } }

    var isClosed: Bool { state.withLock { $0.isClosed } }

    var depth: (bytes: Int, records: Int) { state.withLock { ($0.bytes, $0.records) } }

    /// Waits until everything that is queued now is written.
    /// - Returns: false if `deadline` passed first.
    func flush(until deadline: Deadline) -> Bool {
        let target = state.change { state -> UInt64 in
            if state.written < state.queued { state.isUrgent = true }
            return state.queued
        }
        return state.wait(until: deadline, for: { $0.written >= target }, then: { _ in true })
            ?? false
    }

    /// The next turn; waits for one, and `gather` from its first batch on for others. Empty after
    /// `patience` without any.
    func next(gather: Duration, patience: Duration) -> Turn {
        let hasWork =
            state.wait(
                until: .after(patience),
                for: { !$0.batches.isEmpty || !$0.jobs.isEmpty || $0.isClosed }, then: { _ in true }
            )
            ?? false
        guard hasWork else { return Turn() }
        _ = state.wait(
            until: .after(gather),
            for: {
                $0.isUrgent || $0.isClosed || !$0.jobs.isEmpty || $0.bytes >= LogQueue.turnBytes
            }, then: { _ in })
        return state.withLock { state in
            var turn = Turn()
            var bytes = 0
            for batch in state.batches {
                guard bytes == 0 || bytes + batch.byteCount <= LogQueue.turnBytes else { break }
                bytes += batch.byteCount
                turn.batches.append(batch)
            }
            // Jobs come after all that was queued before them.
            let written = state.written + UInt64(turn.batches.count)
            let due = state.jobs.prefix { $0.after <= written }
            turn.jobs = due.map { $0.job }
            state.jobs.removeFirst(due.count)
            turn.isLast = state.isClosed && turn.batches.count == state.batches.count
            return turn
        }
    }

    /// The first `count` batches are written, or given up.
    func finish(_ count: Int) {
        state.change { state in
            for batch in state.batches.prefix(count) {
                state.bytes -= batch.byteCount
                state.records -= batch.count
            }
            state.batches.removeFirst(count)
            state.written += UInt64(count)
            if state.written >= state.queued { state.isUrgent = false }
        }
    }
}
