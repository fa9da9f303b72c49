import Primitives
import Resilience

/// What a closed circuit breaker adds to a call that succeeds.
struct BreakerBenchmark: Benchmark {
    static let name = "breaker"
    static let summary = "a call that succeeds through a closed circuit breaker"

    /// Calls to one reading of the watch, whose own reading would cost as much as a call.
    private static let callCount = 1000

    private let breaker = CircuitBreaker(name: "bench")

    init(_ bench: Bench) throws(BenchFailure) {}

    var sides: [Side] {
        [
            Side(name: "admit and record") { (time) throws(BenchFailure) in
                try measure(time) { () throws(BenchFailure) in
                    let now = MonotonicTime.now()
                    for _ in 0..<BreakerBenchmark.callCount { try call(from: now, to: now) }
                }
            },
            // A call has a deadline, whose reading of the clock is also the breaker's first.
            Side(name: "with one clock reading") { (time) throws(BenchFailure) in
                try measure(time) { () throws(BenchFailure) in
                    let now = MonotonicTime.now()
                    for _ in 0..<BreakerBenchmark.callCount { try call(from: now, to: .now()) }
                }
            },
            Side(name: "with two clock readings") { (time) throws(BenchFailure) in
                try measure(time) { () throws(BenchFailure) in
                    for _ in 0..<BreakerBenchmark.callCount { try call(from: .now(), to: .now()) }
                }
            },
        ]
    }

    func finish() throws(BenchFailure) -> [SideFigures] {
        let state = breaker.snapshot(at: .now())
        guard state.mode == .closed, state.refusedCount == 0 else {
            throw BenchFailure("the breaker did not stay closed: \(state)")
        }
        return []
    }

    private func measure(
        _ time: Duration, _ calls: () throws(BenchFailure) -> Void
    ) throws(BenchFailure) -> [Figure] {
        var watch = Stopwatch()
        let allocations = AllocationCount.now
        try watch.run(for: time, calls)
        let count = BreakerBenchmark.callCount
        let allocated = AllocationCount.figures(
            since: allocations, operations: watch.count * count, of: "call")
        let rate = watch.perSecond(Double(count))
        return [Figure("call", .nanoseconds, 1e9 / rate)]
            + watch.latency.figures(each: count) + allocated
    }

    private func call(
        from start: MonotonicTime, to end: MonotonicTime
    ) throws(BenchFailure) {
        guard let permit = breaker.admit(at: start) else {
            throw BenchFailure("a closed breaker refused a call")
        }
        breaker.record(permit, .success, at: end)
    }
}
