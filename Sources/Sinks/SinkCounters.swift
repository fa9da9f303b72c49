import Primitives
import Telemetry

/// What one sink has done since start. Any thread.
package final class SinkCounters: Sendable {
    /// Events that the receiver took.
    package let delivered = Counter()
    /// Requests that it took.
    package let batches = Counter()
    /// Attempts that ended without an answer, or with one that asks to try again.
    package let failed = Counter()
    /// Answers that refused what was sent.
    package let refused = Counter()
    /// Events that were given up.
    package let deadLetters = Counter()
    /// Attempts that got an answer, of whatever kind.
    package let durations = Histogram()
    private let error: Locked<String?> = Locked(nil)

    /// Why the last attempt failed; nil once one succeeds.
    package var lastError: String? { error.withLock { $0 } }

    /// - Returns: whether it differs from what was there.
    func note(_ text: String?) -> Bool {
        error.withLock { error in
            defer { error = text }
            return error != text
        }
    }
}
