import Primitives
internal import Synchronization

// DESIGN
//
// Purpose: every call to another process goes through one of these, millions of times between two
// failures, so a success in a closed breaker must cost next to nothing and share no lock.
//
// How: `BreakerState` under a lock has all the rules. Beside it one atomic word says whether calls
// may pass without the lock and counts the successes of the current bucket:
//
//     63          44 43         24 23        2   1         0
//     | successes   | bucket epoch | generation | may count | may pass |
//
// A success adds one to the word with a compare-and-swap, and only while generation and bucket in
// the word are the call's own, so no success is counted into another generation or bucket.
// Everything else (a failure, a slow call, a new bucket, a full counter, a row of connection
// failures to be ended, any mode but closed) takes the lock, empties the word into the state
// first, and publishes a new word last. While the word is empty every call takes the lock too.
//
// Epoch and generation are kept modulo 2²⁰ and 2²²: to be mistaken, a call would have to last
// twelve days, or four million changes.

/// Refuses calls to what does not answer, until it answers again. Any thread. A call through a
/// closed breaker is two atomic operations.
package final class CircuitBreaker: Sendable {
    package let name: String
    private let state: Locked<BreakerState>
    private let word = Atomic<UInt64>(0)
    private let bucketNanoseconds: UInt64
    private let slowNanoseconds: UInt64
    private let observer: @Sendable (BreakerChange) -> Void

    private static let passBit: UInt64 = 1
    private static let countBit: UInt64 = 2
    private static let epochMask: UInt64 = 0xF_FFFF
    private static let countShift: UInt64 = 44
    private static let tagMask: UInt64 = (1 << countShift) - 1
    private static let countLimit: UInt64 = 0xF_FFFF

    /// - Parameters:
    ///   - seed: for the jitter of open times.
    ///   - observer: told of each change, on the thread that caused it, without a lock held.
    package init(
        name: String, options: BreakerOptions = BreakerOptions(),
        seed: UInt64 = .random(in: .min ... .max), at now: MonotonicTime = .now(),
        observer: @escaping @Sendable (BreakerChange) -> Void = { _ in }
    ) {
        self.name = name
        self.observer = observer
        let state = BreakerState(options, seed: seed, at: now)
        bucketNanoseconds = state.window.bucketNanoseconds
        slowNanoseconds = state.slowNanoseconds
        word.store(CircuitBreaker.word(for: state), ordering: .relaxed)
        self.state = Locked(state)
    }

    // MARK: Calls

    /// Leave for a call that begins at `now`; then `record` or `giveBack`.
    /// - Parameter waitAllowance: time the call may wait on purpose before it counts as slow.
    /// - Returns: nil if the call must not be made.
    package func admit(
        at now: MonotonicTime, waitAllowance: Duration = .zero
    ) -> BreakerPermit? {
        // Splitting a duration costs more than all the rest here.
        let allowance = waitAllowance == .zero ? 0 : UInt64(waitAllowance.wholeNanoseconds)
        let word = word.load(ordering: .acquiring)
        if word & CircuitBreaker.passBit != 0 {
            return BreakerPermit(
                startedAt: now, waitAllowanceNanoseconds: allowance,
                generation: UInt32(truncatingIfNeeded: word >> 2) & BreakerState.generationMask)
        }
        return update { $0.admit(at: now, waitAllowanceNanoseconds: allowance) }
    }

    /// How an admitted call ended at `now`. Call it once for a permit.
    package func record(
        _ permit: BreakerPermit, _ outcome: BreakerOutcome, at now: MonotonicTime
    ) {
        if outcome == .success, !permit.isSlow(at: now, limitNanoseconds: slowNanoseconds),
            addSuccess(permit, at: now)
        {
            return
        }
        update { $0.record(permit, outcome, at: now) }
    }

    /// Takes back the permit of a call that its caller cancelled.
    package func giveBack(_ permit: BreakerPermit) {
        if permit.lease != 0 { update { $0.giveBack(permit) } }
    }

    /// A connection failure that was seen beside the calls, by a check of the endpoint.
    package func addConnectionFailure(at now: MonotonicTime) {
        update { $0.addConnectionFailure(at: now) }
    }

    // MARK: The probe and the operator

    /// See `BreakerState.probeDue`.
    package func probeDue(at now: MonotonicTime) -> UInt32? {
        update { state in
            state.advance(to: now)
            return state.probeDue(at: now)
        }
    }

    /// See `BreakerState.finishProbe`.
    package func finishProbe(_ generation: UInt32, isHealthy: Bool, at now: MonotonicTime) {
        update { $0.finishProbe(generation, isHealthy: isHealthy, at: now) }
    }

    /// See `BreakerState.isIdle`.
    package func isIdle(for time: Duration, at now: MonotonicTime) -> Bool {
        update { $0.isIdle(for: time, at: now) }
    }

    /// Forces it open, disables it, or lets it decide for itself again.
    package func apply(_ control: BreakerControl, at now: MonotonicTime) {
        update { $0.apply(control, at: now) }
    }

    /// The state at `now`; consistent in itself.
    package func snapshot(at now: MonotonicTime) -> BreakerSnapshot {
        update { state in
            state.advance(to: now)
            return state.snapshot(at: now)
        }
    }

    // MARK: Private

    /// Counts a success without the lock.
    /// - Returns: false if the word is not of this call's generation and bucket.
    private func addSuccess(_ permit: BreakerPermit, at now: MonotonicTime) -> Bool {
        let expected =
            CircuitBreaker.passBit | CircuitBreaker.countBit | UInt64(permit.generation) << 2
            | (now.nanoseconds / bucketNanoseconds & CircuitBreaker.epochMask) << 24
        var current = word.load(ordering: .relaxed)
        while current & CircuitBreaker.tagMask == expected,
            current >> CircuitBreaker.countShift < CircuitBreaker.countLimit
        {
            let (isDone, seen) = word.compareExchange(
                expected: current, desired: current &+ 1 << CircuitBreaker.countShift,
                ordering: .relaxed)
            if isDone { return true }
            current = seen
        }
        return false
    }

    /// Runs `body` on the state, with every success counted so far in it.
    private func update<Result>(_ body: (inout BreakerState) -> Result) -> Result {
        let (result, change) = state.withLock { state -> (Result, BreakerChange?) in
            let successes = word.exchange(0, ordering: .acquiring) >> CircuitBreaker.countShift
            if successes > 0 { state.addSuccesses(Int(successes)) }
            let (mode, generation) = (state.mode, state.generation)
            let result = body(&state)
            word.store(CircuitBreaker.word(for: state), ordering: .releasing)
            return (
                result, generation == state.generation ? nil : self.change(from: mode, to: state)
            )
        }
        if let change { observer(change) }
        return result
    }

    private func change(from mode: BreakerMode, to state: BreakerState) -> BreakerChange {
        BreakerChange(
            name: name, from: mode, to: state.mode, reason: state.reason,
            generation: state.generation, failureRate: state.window.failureRate,
            slowRate: state.window.slowRate,
            retryAfter: state.mode == .open ? state.retryAfter(at: state.changedAt) : .zero)
    }

    private static func word(for state: BreakerState) -> UInt64 {
        let passes = state.mode == .closed || state.mode == .disabled
        let counts = state.mode == .closed && state.connectionFailuresInARow == 0
        return (passes ? passBit : 0) | (counts ? countBit : 0) | UInt64(state.generation) << 2
            | (state.window.epoch & epochMask) << 24
    }
}
