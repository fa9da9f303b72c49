import Primitives
import Synchronization

/// What may be used a second, as a token bucket that holds one second's worth. Any thread; no lock.
///
/// Its state is one number: the time at which the bucket is full again. Using something moves that
/// time on, and time refills the bucket by passing (the generic cell rate algorithm, ITU-T I.371).
/// The duration of a token is rounded down to nanoseconds, so no rate is lower than was said, and
/// none more than 1 % higher.
package struct TokenBucket: ~Copyable, Sendable {
    package static let rates = 1...10_000_000
    private static let second: UInt64 = 1_000_000_000
    /// More at once is counted as this many, so that no product overflows.
    private static let mostAtOnce = 1 << 32

    /// Tokens a second; nil: without limit.
    package let rate: Int?
    /// Nanoseconds of `MonotonicTime`; in the past while the bucket is full.
    private let fullAt = Atomic<UInt64>(0)

    package init(rate: Int?) {
        precondition(rate.map(TokenBucket.rates.contains) ?? true, "a rate out of range")
        self.rate = rate
    }

    /// Takes a token.
    /// - Returns: false, with nothing taken, if there is none.
    package func take(at now: MonotonicTime) -> Bool {
        guard let rate else { return true }
        let cost = TokenBucket.duration(of: 1, rate)
        var old = fullAt.load(ordering: .relaxed)
        while true {
            let new = max(old, now.nanoseconds) &+ cost
            guard new <= now.nanoseconds &+ TokenBucket.second else { return false }
            let (isDone, found) = fullAt.weakCompareExchange(
                expected: old, desired: new, ordering: .relaxed)
            if isDone { return true }
            old = found
        }
    }

    /// Takes tokens whether they are there or not. What was not there is a debt: there are none
    /// until time has paid it.
    package func spend(_ count: Int, at now: MonotonicTime) {
        guard let rate, count > 0 else { return }
        let cost = TokenBucket.duration(of: count, rate)
        var old = fullAt.load(ordering: .relaxed)
        while true {
            let (isDone, found) = fullAt.weakCompareExchange(
                expected: old, desired: max(old, now.nanoseconds) &+ cost, ordering: .relaxed)
            if isDone { return }
            old = found
        }
    }

    /// Gives back what was spent in vain.
    package func giveBack(_ count: Int) {
        guard let rate, count > 0 else { return }
        // It was added before, so it cannot be more than is there; if it makes the bucket overflow,
        // that time lies in the past, which is the same as a full bucket.
        fullAt.subtract(TokenBucket.duration(of: count, rate), ordering: .relaxed)
    }

    /// Time until there is a token; zero if there is one.
    package func wait(at now: MonotonicTime) -> Duration {
        guard let rate else { return .zero }
        let open = fullAt.load(ordering: .relaxed) &+ TokenBucket.duration(of: 1, rate)
        let nanoseconds = now.nanoseconds &+ TokenBucket.second
        return open <= nanoseconds ? .zero : .nanoseconds(Int64(clamping: open - nanoseconds))
    }

    /// Whole tokens that are left, and the seconds until the bucket is full, rounded up.
    package func standing(at now: MonotonicTime) -> (left: Int, fullInSeconds: Int) {
        guard let rate else { return (0, 0) }
        let full = fullAt.load(ordering: .relaxed)
        guard full > now.nanoseconds else { return (rate, 0) }
        let missing = full - now.nanoseconds
        let seconds = Int((missing - 1) / TokenBucket.second) + 1
        guard missing < TokenBucket.second else { return (0, seconds) }
        // A token may be taken as soon as its duration has passed, which is a rounded one.
        let left = (TokenBucket.second - missing) / TokenBucket.duration(of: 1, rate)
        return (min(Int(left), rate), seconds)
    }

    /// In nanoseconds.
    private static func duration(of count: Int, _ rate: Int) -> UInt64 {
        UInt64(min(count, mostAtOnce)) * second / UInt64(rate)
    }
}
