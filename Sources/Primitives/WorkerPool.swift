/// Threads for work that blocks or takes long: large bodies, queries, compression.
package final class WorkerPool: Sendable {
    private struct State {
        var jobs: [@Sendable () -> Void] = []
        var next = 0
        var isClosed = false
        var isIdle: Bool { next == jobs.count }
    }

    private let queueLimit: Int
    private let state = Monitor(State())
    private let threads: Locked<[Thread]> = Locked([])

    /// - Parameter queueLimit: jobs that may wait; beyond it `submit` refuses, so that a caller can
    ///   say 503 while an answer is still of use.
    package init(
        name: String, threads count: Int, queueLimit: Int, priority: ThreadPriority = .normal
    ) {
        self.queueLimit = queueLimit
        let state = state
        let workers = (0..<count).map { index in
            Thread(name: "\(name)-\(index)", priority: priority) {
                while let job = WorkerPool.nextJob(state) { job() }
            }
        }
        threads.withLock { $0 = workers }
    }

    /// Runs `job` on one of the threads. Any thread.
    /// - Returns: false when the queue is full or the pool closed; `job` will not run.
    package func submit(_ job: @escaping @Sendable () -> Void) -> Bool {
        state.change { state in
            guard !state.isClosed, state.jobs.count - state.next < queueLimit else { return false }
            state.jobs.append(job)
            return true
        }
    }

    /// Jobs that wait for a thread.
    package var queued: Int { state.withLock { $0.jobs.count - $0.next } }

    /// Finishes what is queued and ends the threads.
    package func close() {
        state.change { $0.isClosed = true }
        for thread in threads.withLock({ $0 }) { thread.join() }
        threads.withLock { $0 = [] }
    }

    private static func nextJob(_ state: Monitor<State>) -> (@Sendable () -> Void)? {
        state.wait(for: { !$0.isIdle || $0.isClosed }) { state -> (@Sendable () -> Void)? in
            guard !state.isIdle else { return nil }
            let job = state.jobs[state.next]
            state.next += 1
            if state.isIdle || state.next > 1024 {
                state.jobs.removeFirst(state.next)
                state.next = 0
            }
            return job
        } ?? nil
    }
}
