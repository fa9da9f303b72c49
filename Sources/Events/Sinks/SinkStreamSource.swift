import Primitives
import Redis
import Storage
import Synchronization
import Telemetry

/// A sink's events as they come through the streams, shared with all nodes that have the sink: one
/// consumer group a sink, one consumer a node, one node that reads a partition (`SinkMembership`).
///
/// DESIGN. After a start and after each failure a lane first reads what is pending for this node:
/// a read whose answer was lost may have been carried out. Then it asks for new entries, and now
/// and then for entries that another node has left lying for `claimAfter`. A batch that is being
/// delivered is claimed anew every few seconds (`keep`), which sets its idle time back, so entries
/// wait for ever with a node whose receiver fails, and are taken over only from one that has died.
/// Entries are acknowledged once delivered, and those with a dead letter or in quarantine once no
/// power failure takes that from this node's store.
final class SinkStreamSource: SinkSource {
    /// Beside two attempts, before an entry looks abandoned.
    private static let margin = Duration.seconds(5)
    /// Between looks at whether a partition is still another node's.
    private static let othersTurn = Duration.milliseconds(100)
    /// For what is answered in a few bytes.
    static let answerLimit = Duration.seconds(1)

    struct Place {
        var hasGroup = false
        /// What is pending for this node was read to its end.
        var hasRecovered = false
        var nextClaim: MonotonicTime
        var claimCursor = "0-0"
        var nextLook: MonotonicTime
        var lag: Int64?
        var size = SinkReadSize()
        /// Used by the lane alone.
        let decoder: SinkEntryDecoder
    }

    let redis: GuardedRedis
    let store: EventStore
    let options: SinkOptions
    let keys: StreamKeys
    let group: String
    let node: String
    let membership: SinkMembership?
    let log: Logger
    /// How long an entry must lie with a node that says nothing before another takes it.
    let claimAfter: Duration
    let lostCount = Counter()
    let redeliveredCount = Counter()
    /// Entries hold many events each, so that few are read at a time.
    let hasFrames: Locked<Bool>
    let hasToldOfUncounted = Atomic(false)
    let masking: EventMasking
    /// One a partition, touched by its lane; the lag by any thread.
    private let places: [Locked<Place>]

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
        let claimAfter = max(streams.claimAfter, options.timeout * 2 + SinkStreamSource.margin)
        self.claimAfter = claimAfter
        node = streams.node
        masking = streams.masking
        hasFrames = Locked(streams.encoding == .frame)
        keys = StreamKeys(partitions: streams.partitions)
        group = options.streamGroup
        let now = MonotonicTime.now()
        places = (0..<streams.partitions).map { _ in
            Locked(
                Place(
                    nextClaim: now + claimAfter / 4, nextLook: now,
                    decoder: SinkEntryDecoder(options.filter)))
        }
    }

    var heartbeat: Duration { claimAfter / 4 }
    var partitions: Int { places.count }
    var ownPartitions: [Int]? {
        membership?.partitions(of: options.name, count: places.count)
    }
    var lost: UInt64 { lostCount.count }
    var redelivered: UInt64 { redeliveredCount.count }

    var lag: Int64? {
        var sum: Int64 = 0
        for place in places {
            guard let lag = place.withLock({ $0.lag }) else { return nil }
            sum += lag
        }
        return sum
    }

    func next(_ partition: Int, until deadline: Deadline) throws(SinkSourceError) -> SinkBatch? {
        var place = places[partition].withLock { $0 }
        defer { places[partition].withLock { $0 = place } }
        do throws(RedisError) {
            if !place.hasGroup {
                try makeGroup(partition)
                place.hasGroup = true
            }
            try look(partition, &place)
            return try read(partition, &place, until: deadline)
        } catch {
            place.hasRecovered = false
            place.claimCursor = "0-0"
            if error.code == .noGroup { place.hasGroup = false }
            throw SinkSourceError(error.description)
        }
    }

    /// Own pending entries, then those of the dead, then new ones.
    private func read(
        _ partition: Int, _ place: inout Place, until deadline: Deadline
    ) throws(RedisError) -> SinkBatch? {
        if let batch = try recover(partition, &place) { return batch }
        guard membership?.isReader(of: partition, sink: options.name) ?? true else {
            sleep(until: min(deadline, .after(SinkStreamSource.othersTurn)))
            return nil
        }
        let now = MonotonicTime.now()
        if now >= place.nextClaim {
            let hasClaimed = try claim(partition, &place)
            if place.claimCursor == "0-0" { place.nextClaim = now + claimAfter / 4 }
            if hasClaimed {
                place.hasRecovered = false
                if let batch = try recover(partition, &place) { return batch }
            }
        }
        return try readNew(partition, &place, block: deadline.remaining)
    }

    private func recover(
        _ partition: Int, _ place: inout Place
    ) throws(RedisError) -> SinkBatch? {
        guard !place.hasRecovered else { return nil }
        if let batch = try readPending(partition, &place) { return batch }
        place.hasRecovered = true
        return nil
    }

    // MARK: After the delivery

    func keep(_ batch: SinkBatch) throws(SinkSourceError) {
        guard !batch.entries.isEmpty else { return }
        let outlivedCount = batch.isRedelivered ? batch.outlivedCount : 0
        var pipeline = RedisPipeline()
        claim(batch.entries.prefix(outlivedCount), of: batch, isSetBack: true, &pipeline)
        claim(batch.entries.dropFirst(outlivedCount), of: batch, isSetBack: false, &pipeline)
        do throws(RedisError) {
            try send(pipeline)
            // While a receiver is away nobody asks for more, and the lag is what people look at.
            var place = places[batch.partition].withLock { $0 }
            try look(batch.partition, &place)
            places[batch.partition].withLock { $0 = place }
        } catch {
            // Redis may have lost the group; it must be there before entries it has not read go.
            if error.code == .noGroup { remake(batch.partition) }
            throw SinkSourceError(error.description)
        }
    }

    /// Claims entries anew: with the count of their deliveries set back to 1, or as it is.
    private func claim(
        _ entries: ArraySlice<StreamEntryID>, of batch: SinkBatch, isSetBack: Bool,
        _ pipeline: inout RedisPipeline
    ) {
        guard !entries.isEmpty else { return }
        pipeline.begin("XCLAIM", argumentCount: (isSetBack ? 7 : 5) + entries.count)
        pipeline.add(keys[batch.partition])
        pipeline.add(group)
        pipeline.add(node)
        pipeline.add(literal: "0")
        for entry in entries { pipeline.add(entry) }
        if isSetBack {
            pipeline.add(literal: "RETRYCOUNT")
            pipeline.add(literal: "1")
        }
        pipeline.add(literal: "JUSTID")
    }

    func settle(
        _ batch: SinkBatch, dead: [DeadLetterEntry], until deadline: Deadline
    ) throws(SinkSourceError) -> Bool {
        guard try isKept(dead, of: batch, at: deadline) else { return false }
        guard !batch.entries.isEmpty else { return true }
        var pipeline = RedisPipeline()
        pipeline.begin("XACK", argumentCount: 2 + batch.entries.count)
        pipeline.add(keys[batch.partition])
        pipeline.add(group)
        for entry in batch.entries { pipeline.add(entry) }
        do throws(RedisError) { try send(pipeline) } catch {
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

    private func remake(_ partition: Int) {
        do throws(RedisError) { try makeGroup(partition) } catch {
            places[partition].withLock { $0.hasGroup = false }
        }
    }

    func send(_ pipeline: borrowing RedisPipeline) throws(RedisError) {
        try redis.call(
            .sinks, within: SinkStreamSource.answerLimit
        ) { session throws(RedisError) in
            for reply in try session.send(pipeline) {
                if let error = reply.error { throw error }
            }
        }
    }
}
