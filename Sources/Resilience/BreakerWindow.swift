import Primitives

/// How many calls of the last seconds failed or were slow. A ring of buckets: old calls leave a
/// bucket at a time, and nothing is allocated after init.
struct BreakerWindow: Sendable {
    struct Counts: Sendable {
        var calls = 0
        var failures = 0
        var slow = 0
    }

    let bucketNanoseconds: UInt64
    private(set) var total = Counts()
    /// The number of the newest bucket since the clock's start.
    private(set) var epoch: UInt64 = 0
    private var buckets: [Counts]

    init(_ options: BreakerOptions) {
        precondition(options.bucketCount > 0 && options.window > .zero)
        buckets = Array(repeating: Counts(), count: options.bucketCount)
        bucketNanoseconds = UInt64(options.window.wholeNanoseconds) / UInt64(options.bucketCount)
    }

    var failureRate: Double { total.calls == 0 ? 0 : Double(total.failures) / Double(total.calls) }
    var slowRate: Double { total.calls == 0 ? 0 : Double(total.slow) / Double(total.calls) }

    /// Forgets what is older than the window. A time before the newest bucket changes nothing:
    /// threads read the clock in one order and may arrive in another.
    mutating func advance(to now: MonotonicTime) {
        let newest = now.nanoseconds / bucketNanoseconds
        guard newest > epoch else { return }
        for step in 0..<min(newest - epoch, UInt64(buckets.count)) {
            let index = Int((newest - step) % UInt64(buckets.count))
            total.calls -= buckets[index].calls
            total.failures -= buckets[index].failures
            total.slow -= buckets[index].slow
            buckets[index] = Counts()
        }
        epoch = newest
    }

    /// Counts into the newest bucket.
    mutating func add(calls: Int, failures: Int = 0, slow: Int = 0) {
        let index = Int(epoch % UInt64(buckets.count))
        buckets[index].calls += calls
        buckets[index].failures += failures
        buckets[index].slow += slow
        total.calls += calls
        total.failures += failures
        total.slow += slow
    }

    mutating func removeAll() {
        for index in buckets.indices { buckets[index] = Counts() }
        total = Counts()
    }
}
