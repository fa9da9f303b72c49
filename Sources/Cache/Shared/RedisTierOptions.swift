import Primitives
import Telemetry

/// Sizes and times of the tier in Redis.
package struct RedisTierOptions: Sendable {
    /// Larger answers stay on their node.
    package var bodyLimitBytes = 4 << 20
    /// What was computed faster is not shared: asking Redis takes about as long.
    package var leastCost = Duration.milliseconds(1)
    /// No value lives longer, whatever its lifetimes say.
    package var longestLife = Duration.seconds(3600)
    /// For how long one node computes while the others wait, each at most as long as for any call.
    package var lease = Duration.seconds(2)

    package init() {}
}

/// What became of reads and writes since the start.
package struct RedisTierCounters: Sendable {
    package let hits = Counter()
    package let misses = Counter()
    /// Reads that were not sent, because Redis had just failed, did not have a purge of this process
    /// yet, or too many waited.
    package let skipped = Counter()
    /// Values of another form, or with a wrong checksum.
    package let damaged = Counter()
    package let writes = Counter()
    /// Not stored: a fresher one was there, or a purge came between.
    package let writesOutdated = Counter()
    /// Too cheap or too large to share.
    package let writesSkipped = Counter()
    package let writesDropped = Counter()
    /// Redis had no memory for it.
    package let writesRefused = Counter()
    package let failures = Counter()
    package let callTime = Histogram()
}
