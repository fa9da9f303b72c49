import Primitives
import Redis
import Storage
import Telemetry

/// Looks at the streams about once a second: for `/status`, for lost data, and to trim what nobody
/// needs any more.
package final class StreamTrimmer: Sendable {
    struct State {
        var isStopping = false
        var status = StreamStatus()
        /// Times that somebody wanted all to go that may, and times that it did.
        var exactTrimsWanted = 0
        var exactTrimsDone = 0
    }

    let redis: GuardedRedis
    let options: StreamOptions
    let keys: StreamKeys
    let lossDetector: RedisLossDetector
    let log: Logger
    let state = Monitor(State())
    private let thread = ThreadSlot()
    /// Since the start: entries that were trimmed once all groups had acknowledged them, and those
    /// that a cap took although a group had not.
    package let trimmed = Counter()
    package let cut = Counter()

    static let interval = Duration.seconds(1)

    init(_ parts: StreamParts) {
        redis = parts.redis
        options = parts.options
        keys = parts.keys
        lossDetector = parts.lossDetector
        log = parts.log
    }

    func start() {
        thread.start(name: "trimmer") { [self] in TrimmerRun(self).run() }
    }

    func stop() {
        state.change { $0.isStopping = true }
        thread.join()
    }

    /// Has everything trimmed that every group has acknowledged, and not only whole nodes of it.
    /// - Returns: false if the deadline passed first.
    func trimExactly(until deadline: Deadline) -> Bool {
        let wanted = state.change { state -> Int in
            state.exactTrimsWanted += 1
            return state.exactTrimsWanted
        }
        return state.wait(until: deadline) {
            $0.exactTrimsDone >= wanted || $0.isStopping
        } then: {
            !$0.isStopping
        } ?? false
    }

    /// The last look.
    package var status: StreamStatus { state.withLock { $0.status } }
}

/// The streams at one moment, as `/status` shows them.
package struct StreamStatus: Sendable {
    package struct Partition: Sendable {
        package var key = ""
        package var length: Int64 = 0
        /// Entries that this node's group has not been given; nil if Redis cannot tell.
        package var lag: Int64?
        /// Entries that this node's group was given and has not acknowledged.
        package var pending: Int64 = 0
        /// Groups that read it, other nodes', sinks' and strangers' among them.
        package var groups = 0
        package var bytes: Int64 = 0
    }

    /// Empty before the first look.
    package var partitions: [Partition] = []
    /// What it says of itself; nil before the first look.
    package var facts: RedisServerFacts?
    /// What this node and others cannot both be right about, in whole sentences.
    package var conflicts: [String] = []
    /// When the last look succeeded; nil before the first.
    package var seenAt: MonotonicTime?

    package init() {}

    package var length: Int64 { partitions.reduce(0) { $0 + $1.length } }
    package var pending: Int64 { partitions.reduce(0) { $0 + $1.pending } }
    /// Of all partitions; nil if Redis cannot tell of one.
    package var lag: Int64? {
        var sum: Int64 = 0
        for partition in partitions {
            guard let lag = partition.lag else { return nil }
            sum += lag
        }
        return sum
    }
}
