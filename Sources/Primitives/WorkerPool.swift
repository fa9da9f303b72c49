/// Threads for work that blocks or takes long: large bodies, queries, compression.
///
/// Owners take turns (`FairQueue`), and where there are two threads or more, work that is expected to
/// take long never has all of them: what is short finds one.
package final class WorkerPool: Sendable {
    private struct State {
        var queue = FairQueue<@Sendable () -> Void>()
        var runningLong = 0
        var isClosed = false
        let longLimit: Int

        var allowsLong: Bool { runningLong < longLimit }
        var hasNext: Bool { queue.hasNext(allowsLong: allowsLong) }
    }

    private let queueLimit: Int
    private let ownerLimit: Int
    private let state: Monitor<State>
    private let threads: Locked<[Thread]> = Locked([])

    /// - Parameters:
    ///   - queueLimit: jobs that may wait; beyond it `submit` refuses, so that a caller can say 503
    ///     while an answer is still of use.
    ///   - ownerLimit: jobs of one owner that may wait; all of them, if nil.
    package init(
        name: String, threads count: Int, queueLimit: Int, ownerLimit: Int? = nil,
        priority: ThreadPriority = .normal, stackBytes: Int = Thread.stackBytes
    ) {
        self.queueLimit = queueLimit
        self.ownerLimit = ownerLimit ?? queueLimit
        let state = Monitor(State(longLimit: max(1, count - 1)))
        self.state = state
        let workers = (0..<count).map { index in
            Thread(name: "\(name)-\(index)", priority: priority, stackBytes: stackBytes) {
                WorkerPool.work(state)
            }
        }
        threads.withLock { $0 = workers }
    }

    /// Runs `job` on one of the threads. Any thread.
    /// - Parameters:
    ///   - owner: who takes turns with others, the name of a key say.
    ///   - isLong: it is expected to take long.
    /// - Returns: false when the queue is full or the pool closed; `job` will not run.
    package func submit(
        for owner: String = "", isLong: Bool = false, _ job: @escaping @Sendable () -> Void
    ) -> Bool {
        state.change { state in
            guard !state.isClosed, state.queue.count < queueLimit,
                state.queue.count(of: owner) < ownerLimit
            else { return false }
            state.queue.append(job, owner: owner, isLong: isLong)
            return true
        }
    }

    /// Jobs that wait for a thread.
    package var queued: Int { state.withLock { $0.queue.count } }

    /// Finishes what is queued and ends the threads.
    package func close() {
        state.change { $0.isClosed = true }
        for thread in threads.withLock({ $0 }) { thread.join() }
        threads.withLock { $0 = [] }
    }

    private static func work(_ state: Monitor<State>) {
        while let (job, isLong) = next(state) {
            job()
            if isLong { state.change { $0.runningLong -= 1 } }
        }
    }

    private static func next(
        _ state: Monitor<State>
    ) -> (job: @Sendable () -> Void, isLong: Bool)? {
        state.wait(for: { $0.hasNext || ($0.isClosed && $0.queue.count == 0) }) { state in
            let next = state.queue.next(allowsLong: state.allowsLong)
            if next?.isLong == true { state.runningLong += 1 }
            return next
        } ?? nil
    }
}
