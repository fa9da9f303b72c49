import Primitives
import Resilience
import Telemetry

/// What is to be said of one sink. Counts are since start.
package struct SinkStatus: Sendable {
    package let name: String
    /// Scheme, host and port of the URL; the rest may be a secret.
    package let origin: String
    package let types: [String]
    /// Events that the receiver took, and requests.
    package let delivered: UInt64
    package let batches: UInt64
    package let failedAttempts: UInt64
    package let refusals: UInt64
    package let deadLetters: UInt64
    /// Entries of streams that Redis had delivered before.
    package let redelivered: UInt64
    /// Events, or entries of streams, that were gone before they could be delivered, or unreadable.
    package let lost: UInt64
    /// Partitions of the streams that this node reads at present; nil where it reads its store.
    package let partitions: [Int]?
    /// What is still to be delivered; nil if unknown.
    package let lag: Int64?
    /// Why the last attempt failed; nil if it did not.
    package let lastError: String?
    package let breaker: BreakerSnapshot
    package let durations: HistogramSnapshot
}
