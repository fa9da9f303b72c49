import Primitives

/// Leave to make one call. It is recorded or given back once; one that is forgotten while the
/// breaker is half-open counts as a failure when its lease ends.
package struct BreakerPermit: Sendable {
    /// When the call began: what its duration is measured from. A caller that had to wait for
    /// something of its own first, such as a pooled connection, sets it anew.
    package var startedAt: MonotonicTime
    /// Time the call may spend waiting on purpose, as in a blocking read, before it is slow.
    let waitAllowanceNanoseconds: UInt64
    /// The breaker's generation when it was given; results of an older one are ignored.
    package let generation: UInt32
    /// Which lease it is while half-open; 0 without one.
    let lease: UInt32

    init(
        startedAt: MonotonicTime, waitAllowanceNanoseconds: UInt64, generation: UInt32,
        lease: UInt32 = 0
    ) {
        self.startedAt = startedAt
        self.waitAllowanceNanoseconds = waitAllowanceNanoseconds
        self.generation = generation
        self.lease = lease
    }

    func isSlow(at now: MonotonicTime, limitNanoseconds: UInt64) -> Bool {
        now.nanoseconds > startedAt.nanoseconds
            && now.nanoseconds &- startedAt.nanoseconds
                > limitNanoseconds &+ waitAllowanceNanoseconds
    }
}
