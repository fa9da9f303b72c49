import Primitives

/// Requests at a steady rate, whether or not replies come in time: each is timed from the moment at which
/// it was due, so that one that waits behind a slow reply counts as slow too. (A client that sends its
/// next request after a reply leaves out just the requests that would have waited.)
struct OpenLoop {
    /// The clients are few and light, and are not to be kept waiting by what they measure.
    private static let priority = ThreadPriority.nice(-10)

    let port: UInt16
    let request: Bytes
    /// What every reply must have.
    let status: Int
    let requestsPerSecond: Int
    let connections: Int

    private struct Outcome {
        var latency = LatencyRecorder()
        var failure: BenchFailure?
    }

    /// Blocks for `time`.
    func run(for time: Duration) throws(BenchFailure) -> LatencyRecorder {
        let outcome = Locked(Outcome())
        let start = MonotonicTime.now() + .milliseconds(20)
        let threads = (0..<connections).map { number in
            Thread(name: "bench-open", priority: OpenLoop.priority) {
                do throws(BenchFailure) {
                    try ask(number, from: start, until: start + time, outcome)
                } catch {
                    outcome.withLock { $0.failure = error }
                }
            }
        }
        for thread in threads { thread.join() }
        let found = outcome.withLock { $0 }
        if let failure = found.failure { throw failure }
        return found.latency
    }

    /// One connection, which is due at each `connections`-th moment.
    private func ask(
        _ number: Int, from start: MonotonicTime, until end: MonotonicTime,
        _ outcome: borrowing Locked<Outcome>
    ) throws(BenchFailure) {
        let connection = try KeptConnection(port: port)
        let interval = Duration.seconds(1) / requestsPerSecond
        var due = start + interval * number
        while due < end {
            sleep(until: Deadline(due))
            let found = try connection.ask(request)
            guard found == status else {
                throw BenchFailure("a request was answered with \(found)")
            }
            let now = MonotonicTime.now()
            outcome.withLock { $0.latency.record(from: due, to: now) }
            due = due + interval * connections
        }
    }
}
