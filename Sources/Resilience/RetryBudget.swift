import Primitives

/// A token bucket that all retries of one kind draw from: an outage is met with a bounded number
/// of extra calls a second, however many callers there are. Any thread.
package final class RetryBudget: Sendable {
    private struct Tokens: Sendable {
        var count: Double
        var filledAt: MonotonicTime
    }

    private let capacity: Double
    private let perSecond: Double
    private let tokens: Locked<Tokens>

    /// - Parameters:
    ///   - capacity: retries at once after a quiet time.
    ///   - perSecond: retries a second for as long as it lasts.
    package init(capacity: Int = 20, perSecond: Int = 10, at now: MonotonicTime = .now()) {
        precondition(capacity > 0 && perSecond >= 0)
        self.capacity = Double(capacity)
        self.perSecond = Double(perSecond)
        tokens = Locked(Tokens(count: Double(capacity), filledAt: now))
    }

    /// Takes a token for one retry.
    /// - Returns: false if there is none; the caller then gives up.
    package func take(at now: MonotonicTime) -> Bool {
        tokens.withLock { tokens in
            let earned = now.since(tokens.filledAt).inSeconds * perSecond
            tokens.count = min(capacity, tokens.count + earned)
            tokens.filledAt = max(now, tokens.filledAt)
            guard tokens.count >= 1 else { return false }
            tokens.count -= 1
            return true
        }
    }
}
