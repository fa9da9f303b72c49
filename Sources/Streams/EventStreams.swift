import Journal
import Primitives
import Redis
import Resilience
import Storage
import Telemetry

/// What the parts of the streams share.
struct StreamParts {
    let journal: Journal
    let store: EventStore
    let redis: GuardedRedis
    let options: StreamOptions
    let keys: StreamKeys
    let queue: StreamQueue
    let lossDetector: RedisLossDetector
    let exchange: ErasureExchange
    let log: Logger
}

/// The way of events through Redis Streams: forwarder, consumer and trimmer, made, started and
/// stopped together.
package final class EventStreams: Sendable {
    /// How long one side may fail before Redis counts as away.
    private static let patience = Duration.seconds(1)
    /// The part of the journal's cap that may wait for Redis before it counts as too slow, and for the
    /// store before storing may no longer yield.
    private static let fullShare = 4

    package let redis: GuardedRedis
    package let options: StreamOptions
    package let forwarder: StreamForwarder
    package let consumer: StreamConsumer
    package let trimmer: StreamTrimmer
    package let queue: StreamQueue
    let keys: StreamKeys
    let exchange: ErasureExchange
    private let journal: Journal
    private let journalMaxBytes: Int

    /// - Parameters:
    ///   - directory: the data directory, which holds the forwarder's checkpoint.
    ///   - journalMaxBytes: the journal's cap; the forwarder holds half of it at most.
    /// - Throws: if the checkpoint cannot be read.
    package init(
        _ options: StreamOptions, redis: GuardedRedis, journal: Journal, store: EventStore,
        directory path: String, journalMaxBytes: Int, log: Logger
    ) throws(JournalError) {
        let directory = try JournalDirectory(path: path)
        var checkpoint = try ForwarderCheckpoint.read(in: directory) ?? ForwarderCheckpoint()
        // A journal that was lost began again; what it forgot cannot be sent.
        checkpoint.position = min(checkpoint.position, journal.committedSequence)
        let status = store.status
        // What an earlier run of the store passed, it may have passed because it was lost.
        journal.renewIdentity(above: status.position)
        // What was stored while this did not run has rows that nobody marked.
        let marks = RowMarks(
            start: CommitPoint(position: status.position, lastSeq: status.lastSeq))
        _ = store.onCommit { marks.add($0) }
        let parts = StreamParts(
            journal: journal, store: store, redis: redis, options: options,
            keys: StreamKeys(partitions: options.partitions),
            queue: StreamQueue(partitions: options.partitions, journal: journal, store: store),
            lossDetector: RedisLossDetector(
                partitions: options.partitions, checkpoint: checkpoint,
                connectionsMade: { redis.connectionsMade }),
            exchange: ErasureExchange(node: options.node, book: store.erasures), log: log)
        self.redis = redis
        self.options = options
        self.journal = journal
        self.journalMaxBytes = journalMaxBytes
        queue = parts.queue
        keys = parts.keys
        exchange = parts.exchange
        forwarder = StreamForwarder(
            parts,
            from: ForwarderProgress(checkpoint, marks: marks, directory: directory, log: log),
            holdLimitBytes: journalMaxBytes / 2)
        consumer = StreamConsumer(parts)
        trimmer = StreamTrimmer(parts)
    }

    package func start() {
        forwarder.start()
        consumer.start()
        trimmer.start()
    }

    /// Sends what is waiting and acknowledges what is stored, as far as Redis lets it. After the
    /// writer has stopped.
    package func stop(until deadline: Deadline) {
        trimmer.stop()
        forwarder.stop(until: min(deadline, .after(.seconds(5))))
        consumer.stop()
        redis.close()
    }

    /// Redis is away, or takes less than comes in: other nodes and sinks get events later. Any thread.
    package var isDegraded: Bool {
        let now = MonotonicTime.now()
        let failing = [forwarder.health, consumer.health].compactMap { $0.failing(at: now) }.max()
        return failing.map { $0 > EventStreams.patience } ?? false
            || isBehind(forwarder.position)
    }

    /// Records of the journal that Redis was not sent.
    package var unforwarded: UInt64 {
        let (committed, position) = (journal.committedSequence, forwarder.position)
        return committed - min(position, committed)
    }

    /// Storing may not yield: what the streams brought waits for it, or what it has not taken from the
    /// journal could fill that. Any thread.
    /// - Parameter position: the last record that is stored.
    package func pressesStore(stored position: UInt64) -> Bool {
        queue.isLate || isBehind(position)
    }

    /// More of the journal than its share lies beyond `position`.
    private func isBehind(_ position: UInt64) -> Bool {
        journal.releasePoint(keepingBytes: journalMaxBytes / EventStreams.fullShare)
            .map { $0 > position } ?? false
    }
}
