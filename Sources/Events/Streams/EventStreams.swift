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
    let ledger: StreamLedger
    let queue: StreamQueue
    let continuity: StreamContinuity
    let exchange: ErasureExchange
    let log: Logger
}

/// The way of events through Redis Streams: forwarder, consumer and watch, made, started and
/// stopped together.
package final class EventStreams: Sendable {
    /// How long one side may fail before the writer stores the journal by itself.
    private static let patience = Duration.seconds(1)
    /// Records that the forwarder may be behind when the writer returns to the streams: otherwise
    /// new events would wait for those of the outage.
    private static let returnLag: UInt64 = 256
    /// The part of the journal's cap that may wait for the streams before the store takes it
    /// directly. The rest has to last until that has begun, however fast events come in: a call
    /// that hangs is only known to fail once its time is over.
    private static let fullShare = 4

    package let redis: GuardedRedis
    package let options: StreamOptions
    package let forwarder: StreamForwarder
    package let consumer: StreamConsumer
    package let watch: StreamWatch
    let queue: StreamQueue
    let ledger: StreamLedger
    let keys: StreamKeys
    let exchange: ErasureExchange
    private let journal: Journal
    private let journalMaxBytes: Int
    private let log: Logger
    private let degraded = Locked(false)

    /// - Parameters:
    ///   - directory: the data directory, which holds the forwarder's note.
    ///   - journalMaxBytes: the journal's cap; the forwarder holds half of it at most.
    /// - Throws: if the note cannot be read.
    package init(
        _ options: StreamOptions, redis: GuardedRedis, journal: Journal, store: EventStore,
        directory path: String, journalMaxBytes: Int, log: Logger
    ) throws(JournalError) {
        let directory = try JournalDirectory(path: path)
        var note = try ForwarderNote.read(in: directory) ?? ForwarderNote()
        // A journal that was lost began again; what it forgot cannot be sent.
        note.position = min(note.position, journal.committedSequence)
        let status = store.status
        // What was stored while this did not run has rows that nobody marked.
        let marks = RowMarks(
            start: CommitPoint(position: status.position, lastSeq: status.lastSeq))
        _ = store.onCommit { marks.add($0) }
        let parts = StreamParts(
            journal: journal, store: store, redis: redis, options: options,
            keys: StreamKeys(partitions: options.partitions),
            ledger: StreamLedger(
                partitions: options.partitions, settled: status.position,
                directTarget: journal.committedSequence),
            queue: StreamQueue(partitions: options.partitions, erasures: store.erasures),
            continuity: StreamContinuity(
                partitions: options.partitions, note: note,
                connectionsMade: { redis.connectionsMade }),
            exchange: ErasureExchange(node: options.node, book: store.erasures), log: log)
        self.redis = redis
        self.options = options
        self.journal = journal
        self.journalMaxBytes = journalMaxBytes
        self.log = log
        queue = parts.queue
        ledger = parts.ledger
        keys = parts.keys
        exchange = parts.exchange
        forwarder = StreamForwarder(
            parts, note: note, directory: directory, marks: marks,
            holdLimitBytes: journalMaxBytes / 2)
        consumer = StreamConsumer(parts)
        watch = StreamWatch(parts)
    }

    package func start() {
        forwarder.start()
        consumer.start()
        watch.start()
    }

    /// Sends what is waiting and acknowledges what is stored, as far as Redis lets it. After the
    /// writer has stopped.
    package func stop(until deadline: Deadline) {
        watch.stop()
        forwarder.stop(until: min(deadline, .after(.seconds(5))))
        consumer.stop()
        redis.close()
    }

    /// Redis has been away for so long that the writer stores the journal by itself.
    package var isDegraded: Bool { degraded.withLock { $0 } }

    /// Records of the journal that Redis was not sent.
    package var unforwarded: UInt64 {
        let (committed, position) = (journal.committedSequence, forwarder.position)
        return committed - min(position, committed)
    }

    /// Whether the writer should take events from the streams now. Asked by the writer's thread.
    /// - Parameter position: the last record that is stored.
    func carryEvents(stored position: UInt64) -> Bool {
        guard position >= ledger.directTarget else { return false }
        let now = MonotonicTime.now()
        let failing = [forwarder.pulse, consumer.pulse].compactMap { $0.failing(at: now) }.max()
        // A Redis that is only slow must not fill the journal: what the store takes directly, the
        // forwarder can let go of and send later.
        let isFull = journal.backlog.retainedBytes > journalMaxBytes / EventStreams.fullShare
        let change = degraded.withLock { isDegraded -> Bool? in
            let before = isDegraded
            if let failing {
                isDegraded = isDegraded || isFull || failing > EventStreams.patience
            } else if isDegraded {
                let committed = journal.committedSequence
                isDegraded = committed > forwarder.position + EventStreams.returnLag
            } else {
                isDegraded = isFull
            }
            return isDegraded == before ? nil : isDegraded
        }
        if let change { tell(change) }
        return !isDegraded
    }

    /// Storing may not yield: the consumer waits for room, or what the store has not taken straight
    /// from the journal could fill it. Any thread.
    func pressesStore(stored position: UInt64) -> Bool {
        if queue.isLate { return true }
        guard isDegraded else { return false }
        let allowed = journalMaxBytes / EventStreams.fullShare
        return journal.releasePoint(keepingBytes: allowed).map { $0 > position } ?? false
    }

    private func tell(_ isDegraded: Bool) {
        guard isDegraded else {
            return log.notice("events are stored by way of redis streams again")
        }
        let reason =
            forwarder.pulse.error ?? consumer.pulse.error ?? "redis takes less than comes in"
        log.warning("events are stored straight from the journal, and forwarded to redis later") {
            $0.add("reason", reason)
        }
    }
}
