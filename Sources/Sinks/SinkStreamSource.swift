import EventCoding
import Primitives
import Redis
import Storage
import Streams
import Synchronization
import Telemetry

/// A sink's events as they come through the streams, shared with all nodes that have the sink: one
/// consumer group a sink, one consumer a node, one node that reads a partition (`SinkMembership`).
///
/// DESIGN. Each partition is read by itself (`SinkPartition`). A batch that is being delivered is
/// claimed anew every few seconds (`keep`), which sets its idle time back, so entries wait for ever
/// with a node whose receiver fails, and are taken over only from one that has died. Entries are
/// acknowledged once delivered, and those with a dead letter or in quarantine once no power failure
/// takes that from this node's store.
final class SinkStreamSource: SinkSource {
    /// Beside two attempts, before an entry looks abandoned.
    private static let margin = Duration.seconds(5)

    let redis: GuardedRedis
    let store: EventStore
    let options: SinkOptions
    let keys: StreamKeys
    let node: String
    let log: Logger
    /// How long an entry must lie with a node that says nothing before another takes it.
    let claimAfter: Duration
    let redeliveredCount = Counter()
    private let membership: SinkMembership?
    private let masking: EventMasking
    private let lostCount = Counter()
    /// Entries hold many events each, so that few are read at a time.
    private let framesSeen: Atomic<Bool>
    private let hasToldOfUncounted = Atomic(false)
    private let parts: Locked<[SinkPartition]> = Locked([])

    /// - Parameters:
    ///   - redis: with a consumer lane that has a connection for each partition and one to spare.
    ///   - store: for dead letters.
    ///   - membership: says which partitions this node reads; nil where no other has the sink.
    init(
        _ options: SinkOptions, redis: GuardedRedis, store: EventStore, streams: SinkStreams,
        membership: SinkMembership? = nil, log: Logger
    ) {
        self.options = options
        self.membership = membership
        self.redis = redis
        self.store = store
        self.log = log
        // A node is silent for an attempt and the heartbeat, a quarter of this.
        claimAfter = max(streams.claimAfter, options.timeout * 2 + SinkStreamSource.margin)
        node = streams.node
        masking = streams.masking
        framesSeen = Atomic(streams.encoding == .frame)
        keys = StreamKeys(partitions: streams.partitions)
        parts.withLock { $0 = (0..<streams.partitions).map { SinkPartition($0, of: self) } }
    }

    var heartbeat: Duration { claimAfter / 4 }
    var partitions: Int { keys.count }
    var ownPartitions: [Int]? { membership?.partitions(of: options.name, count: keys.count) }
    var lost: UInt64 { lostCount.count }
    var redelivered: UInt64 { redeliveredCount.count }

    var lag: Int64? {
        var sum: Int64 = 0
        for part in parts.withLock({ $0 }) {
            guard let lag = part.lag else { return nil }
            sum += lag
        }
        return sum
    }

    private func part(_ partition: Int) -> SinkPartition { parts.withLock { $0[partition] } }

    func next(_ partition: Int, until deadline: Deadline) throws(SinkSourceError) -> SinkBatch? {
        do throws(RedisError) { return try part(partition).next(until: deadline) } catch {
            throw SinkSourceError(error.description)
        }
    }

    func keep(_ batch: SinkBatch) throws(SinkSourceError) {
        guard !batch.entries.isEmpty else { return }
        do throws(RedisError) { try part(batch.partition).keep(batch) } catch {
            throw SinkSourceError(error.description)
        }
    }

    func settle(
        _ batch: SinkBatch, dead: [DeadLetterEntry], until deadline: Deadline
    ) throws(SinkSourceError) -> Bool {
        guard try isKept(dead, of: batch, at: deadline) else { return false }
        do throws(RedisError) { try part(batch.partition).acknowledge(batch) } catch {
            throw SinkSourceError(error.description)
        }
        return true
    }

    /// Hands over what the store is to keep, once, and waits until that is safe.
    private func isKept(
        _ dead: [DeadLetterEntry], of batch: SinkBatch, at deadline: Deadline
    ) throws(SinkSourceError) -> Bool {
        if let entry = batch.setAside {
            batch.ticket = batch.ticket ?? store.quarantine.settle(entry)
            return store.quarantine.waitUntilDurable(try ticket(of: batch), deadline: deadline)
        }
        if dead.isEmpty { return true }
        batch.ticket =
            batch.ticket ?? store.sinks.settle(dead, sink: options.name, position: nil)
        return store.sinks.waitUntilDurable(try ticket(of: batch), deadline: deadline)
    }

    private func ticket(of batch: SinkBatch) throws(SinkSourceError) -> UInt64 {
        guard let ticket = batch.ticket else {
            throw SinkSourceError("what it gave up waits for others to be stored")
        }
        return ticket
    }

    // MARK: For its partitions

    /// This node reads what is new in the partition.
    func isReader(of partition: Int) -> Bool {
        membership?.isReader(of: partition, sink: options.name) ?? true
    }

    var hasFrames: Bool { framesSeen.load(ordering: .relaxed) }
    func noteFrames() { framesSeen.store(true, ordering: .relaxed) }

    /// Once: what stands in the way is a matter of rights, and stays.
    func tellThatTriesAreNotCounted(_ error: RedisError) {
        guard !hasToldOfUncounted.exchange(true, ordering: .relaxed) else { return }
        log.error("an entry that ends the process would not be found out") {
            $0.add("sink", options.name)
            $0.add("error", error)
        }
    }

    /// Counts and tells which entries are not delivered.
    func note(gone: [StreamEntryID], _ faults: [SinkEntryFault], _ partition: Int) {
        let unreadable = Set(faults.map(\.entry))
        guard gone.count + unreadable.count > 0 else { return }
        lostCount.add(gone.count + unreadable.count)
        // One record a read, with the first of each kind: a stream may be full of them.
        log.error("entries of a stream did not reach a sink") {
            $0.add("sink", options.name)
            $0.add("stream", keys.names[partition])
            $0.add("gone", gone.count)
            $0.add("gone_entry", gone.first?.description ?? "")
            $0.add("unreadable", unreadable.count)
            $0.add("unreadable_entry", faults.first?.entry.description ?? "")
            $0.add("error", faults.first?.code ?? "")
        }
    }

    /// Has quarantine keep what the store's own reader of the stream had no reason to set aside.
    func setAside(_ fault: SinkEntryFault, _ batch: SinkBatch) {
        guard let raw = fault.raw else { return }
        batch.setAside = .entry(
            fault.entry, of: keys.names[batch.partition], raw.span, isFrame: fault.isFrame,
            fault.code, "\(fault.detail) It did not reach the sink \(options.name).", masking)
    }
}
