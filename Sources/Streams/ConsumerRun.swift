import EventCoding
import Primitives
import Redis
import Telemetry

/// The consumer's thread and what belongs to it alone.
final class ConsumerRun {
    private let consumer: StreamConsumer
    private let reader: GroupReader
    private let decoder: StreamEntryDecoder
    private let handover: StreamHandover
    private let trials: PendingTrials
    private var news: StreamNews
    private var pipeline = RedisPipeline(capacity: 16 << 10)
    /// By partition: what is pending for this consumer is to be read before anything new.
    private var mustRecover: [Bool]
    private var nextClaim: MonotonicTime
    private var pause = StreamPause()
    private var eagerReads = ConsumerRun.eagerReads

    /// Entries of one partition in one reply at most.
    private static let readLimit = 2000
    /// Beyond it what is left of a reply is not decoded: a small frame may hold megabytes. It is
    /// pending then, and is read as such.
    private static let decodeLimitBytes = 2 * ReadSize.budgetBytes
    /// How long Redis holds a read that finds nothing: also how late a stop may be noticed, and
    /// acknowledgements without a later read.
    private static let blockTime = Duration.milliseconds(200)
    /// After a failure the first reads do not wait: a breaker wants as many successes to close, and
    /// questions do not count.
    private static let eagerReads = 5
    private static let eagerBlockTime = Duration.milliseconds(1)
    /// For anything that does not block, contents of some 3 MiB among it.
    static let answerLimit = Duration.milliseconds(300)
    private static let claimInterval = Duration.seconds(5)

    init(_ consumer: StreamConsumer) {
        self.consumer = consumer
        let options = consumer.options
        var hasTold = false
        reader = GroupReader(
            consumer.redis, .consumer, keys: consumer.keys, group: options.group,
            name: options.node, claimAfter: options.claimAfter,
            answerLimit: ConsumerRun.answerLimit,
            size: ReadSize(answerLimit: ConsumerRun.answerLimit, isHasty: true)
        ) { [log = consumer.log] error in
            // Once: what stands in the way is a matter of rights, and stays.
            guard !hasTold else { return }
            hasTold = true
            log.error("an entry that ends the process would not be found out") {
                $0.add("error", error)
            }
        }
        decoder = StreamEntryDecoder(
            consumer.keys, node: options.node,
            committedSequence: { [journal = consumer.journal] in journal.committedSequence },
            consumer.exchange, masking: options.masking, unreadable: consumer.unreadable)
        handover = StreamHandover(consumer, reader)
        trials = PendingTrials(consumer, reader, handover, decoder)
        news = StreamNews(consumer)
        nextClaim = .now() + ConsumerRun.claimInterval
        mustRecover = Array(repeating: true, count: consumer.keys.count)
    }

    func run() {
        while !consumer.isStopping {
            do throws(RedisError) {
                if handover.hasForgotten || news.hasUnknownErasures || news.hasCut || trials.isDue {
                    recoverAll()
                }
                if mustRecover.contains(true) { try recover() }
                try readMore()
                if MonotonicTime.now() >= nextClaim {
                    try claim()
                    nextClaim = .now() + ConsumerRun.claimInterval
                }
            } catch {
                failed(error)
            }
        }
        // Best effort: what is not acknowledged now is pending at the next start.
        do throws(RedisError) { try handover.acknowledge() } catch {
            consumer.log.info("entries stay pending in redis") { $0.add("error", error) }
        }
    }

    private func recoverAll() { for index in mustRecover.indices { mustRecover[index] = true } }

    // MARK: Recovering

    /// Reads what is pending for this consumer and was not stored, or stored and not acknowledged. What
    /// Redis refuses of one partition keeps nothing from being read of the others.
    private func recover() throws(RedisError) {
        try news.learnErasures()
        handover.begin()
        try ensureGroup()
        guard try handover.waitForStore() else { return }
        var refusal: RedisError?
        for partition in mustRecover.indices where mustRecover[partition] {
            mustRecover[partition] = false
            do throws(RedisError) {
                guard try trials.run(partition) else { return }
            } catch {
                guard !error.code.isTransient, error.code != .breakerOpen else { throw error }
                refusal = refusal ?? error.naming(consumer.keys.names[partition])
            }
        }
        if let refusal { throw refusal }
    }

    /// Makes the group where it is missing.
    private func ensureGroup() throws(RedisError) {
        let missing = try lookAtGroups()
        if missing.isEmpty { return }
        // Other groups may be missing as well, which a node that was started again never saw.
        if consumer.hasStoredBefore { consumer.lossDetector.noteLoss() }
        try reader.makeGroup(in: missing)
        consumer.log.notice("consumer group made") {
            $0.add("group", reader.group)
            $0.add("partitions", missing.count)
        }
    }

    /// Learns what the group was given.
    /// - Returns: the partitions that have no such group.
    private func lookAtGroups() throws(RedisError) -> [Int] {
        pipeline.removeAll()
        for key in consumer.keys.names { pipeline.command("XINFO", "GROUPS", key) }
        news.addQuestion(to: &pipeline)
        var delivered = consumer.keys.names.map { _ in StreamEntryID.zero }
        var missing: [Int] = []
        var cuts: [StreamEntryID?] = []
        try consumer.redis.call(
            .consumer, within: ConsumerRun.answerLimit, isQuestion: true
        ) { session throws(RedisError) in
            for (partition, reply) in try session.send(pipeline).enumerated() {
                guard partition < delivered.count else {
                    cuts = news.cuts(in: reply)
                    break
                }
                // No stream, no group; there is no class for that error.
                if let error = reply.error, error.code != .otherServer {
                    throw error.naming(consumer.keys.names[partition])
                }
                let own = StreamGroupInfo.all(reply).first { $0.name == reader.group }
                if let own {
                    delivered[partition] = own.lastDelivered
                } else {
                    missing.append(partition)
                }
            }
        }
        news.found(delivered: delivered, missing: missing, cuts: cuts)
        return missing
    }

    /// Takes over entries that another consumer of the group has left lying; they are then read as
    /// this one's.
    private func claim() throws(RedisError) {
        for partition in mustRecover.indices {
            var cursor = "0-0"
            repeat {
                let taken = try reader.takeOver(
                    partition, from: cursor, count: trials.pageCount)
                if !taken.gone.isEmpty {
                    consumer.lost(taken.gone.count, "trimmed while another consumer had them")
                }
                if !taken.entries.isEmpty { mustRecover[partition] = true }
                consumer.claimed.add(taken.entries.count)
                cursor = taken.cursor
            } while cursor != "0-0" && !consumer.isStopping
        }
    }

    // MARK: Reading

    /// Acknowledges what was stored, and reads on if there is room for what comes.
    private func readMore() throws(RedisError) {
        let hasRoom = consumer.queue.waitForRoom(until: .after(ConsumerRun.blockTime))
        guard hasRoom else { return try handover.acknowledge() }
        pipeline.removeAll()
        handover.addAcknowledgements(to: &pipeline)
        let (count, block) = (reader.size.count, blockTime)
        reader.addRead(of: mustRecover.indices, count: count, block: block, to: &pipeline)
        news.addQuestion(to: &pipeline)
        let batch = consumer.queue.take()
        var entryCount = 0
        var cuts: [StreamEntryID?] = []
        // The read, and the question after it, come last.
        var rest = pipeline.commandCount
        let time = try reader.ask(
            pipeline, for: count, block: block
        ) { (reply) throws(RedisError) in
            rest -= 1
            if rest == 0 {
                cuts = news.cuts(in: reply)
                return
            }
            if let error = reply.error { throw error }
            guard rest == 1 else { return }
            try reader.entries(in: reply) { partition, entries in
                entryCount += entries.count
                take(entries, of: partition, into: batch)
            }
        }
        succeeded()
        handover.acknowledged()
        // What was read is pending, and is read again once it is known what is to be erased.
        if news.hasUnknownErasures { return consumer.queue.giveBack(batch) }
        let taken = batch.entryCount
        consumer.read.add(taken)
        if taken < entryCount { recoverAll() }
        reader.size.succeeded(
            asked: count, entries: entryCount, of: mustRecover.count,
            bytes: batch.byteCount / max(taken, 1) * entryCount, upTo: ConsumerRun.readLimit,
            after: time)
        news.read(batch.entries, cuts: cuts)
        handover.put(batch)
    }

    /// How long Redis may hold the next read.
    private var blockTime: Duration {
        eagerReads > 0 ? ConsumerRun.eagerBlockTime : ConsumerRun.blockTime
    }

    /// Takes the entries of one partition, as far as there is room: ids and fields, or null where one
    /// is gone.
    private func take(_ entries: RedisReplies, of partition: Int, into batch: StreamBatch) {
        for entry in entries {
            if batch.byteCount > ConsumerRun.decodeLimitBytes { return }
            var parts = entry.elements
            guard let id = parts.next()?.bytes.flatMap({ StreamEntryID($0) }),
                let fields = parts.next()
            else { continue }
            batch.add(id, of: partition)
            if fields.isNull {
                batch.goneCount += 1
            } else {
                decoder.decode(
                    StreamEntryFields(fields.elements), of: id, partition, into: batch)
            }
        }
    }

    // MARK: How it goes

    private func succeeded() {
        if consumer.health.failing(at: .now()) != nil {
            consumer.log.notice("redis streams are read")
        }
        pause = StreamPause()
        eagerReads = max(eagerReads - 1, 0)
        consumer.health.succeeded()
    }

    private func failed(_ error: RedisError) {
        recoverAll()
        if consumer.health.failed(error.description) {
            consumer.log.warning("redis streams are not read") { $0.add("error", error) }
        }
        // Where nothing was asked, nothing is in doubt.
        if error.code != .breakerOpen { consumer.lossDetector.suspect() }
        eagerReads = ConsumerRun.eagerReads
        _ = consumer.state.wait(
            until: .after(pause.next(after: error.code)), for: { $0.isStopping }, then: { _ in })
    }
}

extension RedisPipeline {
    package mutating func add(_ id: StreamEntryID) {
        var text = ByteBuffer(capacity: 44)
        text.append(id)
        add(text.span)
    }
}
