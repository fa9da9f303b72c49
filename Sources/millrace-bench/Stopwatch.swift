import Primitives

/// Repeats an operation for a while and records how long each took. The clock is read once an
/// operation, some 25 ns.
struct Stopwatch {
    private(set) var latency = LatencyRecorder()
    private(set) var count = 0
    private(set) var elapsed = Duration.zero

    /// Runs `operation` at least once, and again until `time` is over.
    mutating func run(
        for time: Duration, _ operation: () throws(BenchFailure) -> Void
    ) throws(BenchFailure) {
        let start = MonotonicTime.now()
        let end = start + time
        var before = start
        repeat {
            try operation()
            let now = MonotonicTime.now()
            latency.record(from: before, to: now)
            before = now
            count += 1
        } while before < end
        elapsed += before.since(start)
    }

    /// How many of what an operation does `amount` times happened in a second.
    func perSecond(_ amount: Double = 1) -> Double {
        Double(count) * amount / max(elapsed.inSeconds, 1e-9)
    }
}
