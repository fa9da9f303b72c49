import EventCoding
import Journal
import Primitives
import Redis
import Storage
import Telemetry

/// Reads the streams as one consumer of this node's group and hands what it reads to the writer.
///
/// DESIGN. One thread with a `GroupReader` for all partitions. It asks all of them at once, decodes
/// what comes into a batch, and puts the batch in a short queue; once the writer has committed it, its
/// entries are acknowledged with the next read. An entry is so pending in Redis until it is in the
/// store.
///
/// Entries of this node's own journal are skipped, and acknowledged once the store has taken their
/// records from the journal (`StoredEntries`).
package final class StreamConsumer: Sendable {
    struct State {
        var isStopping = false
    }

    let redis: GuardedRedis
    let journal: Journal
    let options: StreamOptions
    let keys: StreamKeys
    let queue: StreamQueue
    let lossDetector: RedisLossDetector
    let exchange: ErasureExchange
    let store: EventStore
    /// The store was not empty at the start: where the group is missing, Redis may have lost it.
    let hasStoredBefore: Bool
    let health = LinkHealth()
    let log: Logger
    let state = Monitor(State())
    private let thread = ThreadSlot()
    /// Since the start: entries read for the first time, read again because they were pending,
    /// taken over from other consumers, not there any more, and without an event.
    package let read = Counter()
    package let redelivered = Counter()
    package let claimed = Counter()
    package let lost = Counter()
    package let unreadable = Counter()

    init(_ parts: StreamParts) {
        redis = parts.redis
        journal = parts.journal
        options = parts.options
        keys = parts.keys
        queue = parts.queue
        lossDetector = parts.lossDetector
        exchange = parts.exchange
        store = parts.store
        hasStoredBefore = parts.store.status.lastSeq > 0
        log = parts.log
    }

    /// Attempts that failed since the start, and why it fails now; nil while it does not.
    package var failures: UInt64 { health.failures }
    package var error: String? { health.error }

    func start() {
        thread.start(name: "consume") { [self] in ConsumerRun(self).run() }
    }

    /// Acknowledges what is stored and ends the thread; what waits stays pending in Redis.
    func stop() {
        state.change { $0.isStopping = true }
        queue.close()
        thread.join()
    }

    var isStopping: Bool { state.withLock { $0.isStopping } }

    /// A cap took entries before the group was given them. What other nodes sent is lost here.
    func cut(of stream: String, from delivered: StreamEntryID, to start: StreamEntryID) {
        log.error("a cap of the streams cut entries that this node may not have read") {
            $0.add("stream", stream)
            $0.add("read_up_to", "\(delivered)")
            $0.add("begins_now_at", "\(start)")
        }
    }

    /// Entries that Redis gave and no longer has.
    func lost(_ count: Int, _ reason: String) {
        lost.add(count)
        log.error("stream entries are gone unread") {
            $0.add("count", count)
            $0.add("reason", reason)
        }
    }
}
