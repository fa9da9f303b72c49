import Telemetry

/// What became of the records that were sent, since start.
package struct LogCounters: Sendable {
    package let accepted = Counter()
    /// Refused for what they are.
    package let rejected = Counter()
    /// Refused because the queue was full; the sender may have sent them again.
    package let refused = Counter()
}
