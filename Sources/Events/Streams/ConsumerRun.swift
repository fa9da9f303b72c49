import Primitives
import Redis
import Telemetry

/// The consumer's thread and what belongs to it alone.
final class ConsumerRun {
    let consumer: StreamConsumer
    let decoder: StreamEntryDecoder
    var pipeline = RedisPipeline(capacity: 16 << 10)
    var copies = EntryCopies()
    var late: LateEntries
    var nextLateWarning = MonotonicTime(nanoseconds: 0)
    /// For sending contents. It doubles only where the time was over for a single entry, of which no
    /// smaller part can be asked for.
    var answerLimit = AnswerLimit(ConsumerRun.answerLimit)
    /// Redis had another count of erasures, with the last read, than when they were learnt.
    var hasUnknownErasures = false
    /// Stored, and not yet known to be acknowledged: an answer that was lost is asked for again.
    var unacknowledged: [StoredEntries] = []
    /// When Redis was last known to have lost data: its ids from before are those of other entries.
    var lossSeen: MonotonicTime?
    /// The last entry that the group was given, by partition.
    var delivered: [StreamEntryID]
    /// Where the streams began after the last cuts that were looked at.
    var cutsSeen: [StreamEntryID?]
    var hasSeenCuts = false
    var hasToldOfBlindness = false
    var hasToldOfUncounted = false
    private var mustRecover = true
    private var nextClaim: MonotonicTime
    private var pause = StreamPause()

    /// Entries of one partition in one reply: fewer where they are large, or time out.
    private static let readCounts = 1...2000
    /// What one reply should bring, decoded.
    static let readBytes = 4 << 20
    /// Beyond it what is left of a reply is not decoded: a small frame may hold megabytes. It is
    /// pending then, and is read as such.
    private static let decodeLimitBytes = 2 * readBytes
    static let firstReadCount = 200
    /// Half of what a breaker calls slow.
    private static let longAnswer = Duration.milliseconds(50)
    private(set) var readCount = ConsumerRun.firstReadCount
    /// How long Redis holds a read that finds nothing: also how late a stop may be noticed, and
    /// acknowledgements without a later read.
    private static let blockTime = Duration.milliseconds(200)
    /// After a failure the first reads do not wait: a breaker wants as many successes to close, and
    /// questions do not count.
    private static let eagerReads = 5
    private static let eagerBlockTime = Duration.milliseconds(1)
    private var eagerReads = ConsumerRun.eagerReads
    /// For anything that does not block, contents of some 3 MiB among it.
    static let answerLimit = Duration.milliseconds(300)
    private static let claimInterval = Duration.seconds(5)

    init(_ consumer: StreamConsumer) {
        self.consumer = consumer
        decoder = StreamEntryDecoder(
            consumer.keys, node: consumer.options.node, consumer.exchange,
            masking: consumer.options.masking, unreadable: consumer.unreadable)
        nextClaim = .now() + ConsumerRun.claimInterval
        late = LateEntries(partitions: consumer.keys.count)
        delivered = Array(repeating: .zero, count: consumer.keys.count)
        cutsSeen = Array(repeating: nil, count: consumer.keys.count)
    }

    func run() {
        while !consumer.isStopping {
            do throws(RedisError) {
                if mustRecover || late.isDue(at: .now()) {
                    try learnErasures()
                    mustRecover = false
                    try recover()
                }
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
        do throws(RedisError) { try acknowledge() } catch {
            consumer.log.info("entries stay pending in redis") { $0.add("error", error) }
        }
    }

    // MARK: Reading

    /// Acknowledges what was stored, and reads on if there is room for what comes.
    private func readMore() throws(RedisError) {
        let hasRoom = consumer.queue.waitForRoom(until: .after(ConsumerRun.blockTime))
        pipeline.removeAll()
        addAcknowledgements()
        if hasRoom {
            addRead()
            addQuestionForCuts()
        }
        guard !pipeline.isEmpty else { return }
        let batch = consumer.queue.take()
        let (entryCount, cuts, time) = try send(hasRoom: hasRoom, into: batch)
        succeeded()
        if hasUnknownErasures {
            // What was read is pending, and is read again once it is known what is to be erased.
            consumer.queue.giveBack(batch)
            unacknowledged.removeAll(keepingCapacity: true)
            mustRecover = true
            return
        }
        let taken = batch.entryCount
        if taken < entryCount { mustRecover = true }
        adaptReadCount(
            entries: entryCount, bytes: batch.byteCount / max(taken, 1) * entryCount,
            asked: readCount, limit: ConsumerRun.readCounts.upperBound, after: time)
        unacknowledged.removeAll(keepingCapacity: true)
        look(at: cuts)
        for (partition, entries) in batch.entries.enumerated() {
            delivered[partition] = max(delivered[partition], entries.last ?? .zero)
        }
        hand(over: batch)
    }

    /// Sends what `readMore` has put together.
    /// - Parameters:
    ///   - hasRoom: entries were asked for, and the cuts behind them.
    ///   - batch: gets the entries.
    /// - Returns: how many entries came, those included that were too much to decode, the cuts, and
    ///   how long the answer took.
    private func send(
        hasRoom: Bool, into batch: StreamBatch
    ) throws(RedisError) -> (entryCount: Int, cuts: [StreamEntryID?], time: Duration) {
        let block = hasRoom ? blockTime : .zero
        var entryCount = 0
        var cuts: [StreamEntryID?] = []
        var time = Duration.zero
        let start = MonotonicTime.now()
        do throws(RedisError) {
            try consumer.redis.call(
                .consumer, within: answerLimit.current, waitAllowance: block
            ) { session throws(RedisError) in
                let replies = try session.send(pipeline)
                time = MonotonicTime.now().since(start)
                for (index, reply) in replies.enumerated() {
                    if hasRoom, index == replies.count - 1 {
                        cuts = self.cuts(in: reply)
                        continue
                    }
                    if let error = reply.error { throw error }
                    guard hasRoom, index == replies.count - 2 else { continue }
                    try reply.expectNewEntries()
                    entryCount = take(reply, into: batch)
                }
                if entryCount > 0 { answerLimit.answered(after: time) }
            }
        } catch {
            // Until then it may have been too much, and is asked for in smaller parts.
            if error.code == .timeout, readCount == ConsumerRun.readCounts.lowerBound {
                answerLimit.timedOut()
            }
            throw error
        }
        return (entryCount, cuts, time)
    }

    /// Asks for less next time if this was too much, and for more if it was little.
    /// - Parameters:
    ///   - asked: entries of a partition that were asked for.
    ///   - limit: how far the count may grow.
    ///   - time: that the answer took. It says something of its size if there was no waiting for more.
    func adaptReadCount(
        entries: Int, bytes: Int, asked: Int, limit: Int, after time: Duration = .zero
    ) {
        if bytes > ConsumerRun.readBytes {
            readCount = max(
                readCount * ConsumerRun.readBytes / bytes, ConsumerRun.readCounts.lowerBound)
            return
        }
        guard entries >= asked else { return }
        // Where the way is long, few entries take as long.
        let first = ConsumerRun.firstReadCount
        let isLong = time > ConsumerRun.longAnswer
        if isLong, readCount > first {
            readCount = max(readCount / 2, first)
        } else if bytes < ConsumerRun.readBytes / 2 {
            readCount = min(2 * readCount, max(readCount, isLong ? min(limit, first) : limit))
        }
    }

    /// So many entries did not come, and after this failure it is to be fewer.
    func askForLess(than entryCount: Int) { readCount = min(readCount, max(entryCount, 1)) }

    /// How long Redis may hold the next read.
    private var blockTime: Duration {
        eagerReads > 0 ? ConsumerRun.eagerBlockTime : ConsumerRun.blockTime
    }

    private func addRead() {
        let keys = consumer.keys
        pipeline.begin("XREADGROUP", argumentCount: 8 + 2 * keys.count)
        pipeline.add(literal: "GROUP")
        pipeline.add(consumer.options.group)
        pipeline.add(consumer.options.node)
        pipeline.add(literal: "COUNT")
        pipeline.add(decimal: readCount)
        pipeline.add(literal: "BLOCK")
        pipeline.add(decimal: Int(blockTime.wholeMilliseconds))
        pipeline.add(literal: "STREAMS")
        for partition in 0..<keys.count { pipeline.add(keys[partition]) }
        for _ in 0..<keys.count { pipeline.add(literal: ">") }
    }

    /// Takes the entries of a reply: an array of keys and their entries, or null.
    /// - Returns: how many there are, those included that were too much to decode.
    private func take(_ reply: RedisReply, into batch: StreamBatch) -> Int {
        var entryCount = 0
        for stream in reply.elements {
            var parts = stream.elements
            guard let key = parts.next()?.bytes, let entries = parts.next(),
                let partition = consumer.keys.partition(of: key)
            else { continue }
            entryCount += entries.elements.count
            for entry in entries.elements {
                if batch.byteCount > ConsumerRun.decodeLimitBytes { break }
                take(entry, of: partition, into: batch)
            }
        }
        consumer.read.add(batch.entryCount)
        return entryCount
    }

    /// Takes one entry: its id and its fields, or null where it is gone.
    private func take(_ entry: RedisReply, of partition: Int, into batch: StreamBatch) {
        var parts = entry.elements
        guard let id = parts.next()?.bytes.flatMap({ StreamEntryID($0) }),
            let fields = parts.next()
        else { return }
        batch.add(id, of: partition)
        if fields.isNull {
            batch.goneCount += 1
        } else {
            decoder.decode(StreamEntryFields(fields.elements), of: id, partition, into: batch)
        }
    }

    /// Gives a batch to the writer, if there is anything in it.
    func hand(over batch: StreamBatch) {
        if batch.goneCount > 0 { consumer.lost(batch.goneCount, "trimmed while pending") }
        if batch.isEmpty { return consumer.queue.giveBack(batch) }
        if batch.isStored { return consumer.queue.hold(batch) }
        consumer.queue.put(batch)
        // The writer waits there, for events of either kind.
        consumer.journal.ring()
    }

    // MARK: Acknowledging

    /// Acknowledges what is stored, by itself.
    func acknowledge() throws(RedisError) {
        pipeline.removeAll()
        addAcknowledgements()
        if !pipeline.isEmpty {
            try consumer.redis.call(
                .consumer, within: ConsumerRun.answerLimit
            ) { session throws(RedisError) in
                for reply in try session.send(pipeline) {
                    if let error = reply.error { throw error }
                }
            }
        }
        unacknowledged.removeAll(keepingCapacity: true)
    }

    private func addAcknowledgements() {
        let stored = consumer.queue.takeStored()
        unacknowledged += stored.entries
        if stored.hasForgotten { mustRecover = true }
        for stored in unacknowledged {
            for (partition, entries) in stored.entries.enumerated() where !entries.isEmpty {
                pipeline.begin("XACK", argumentCount: 2 + entries.count)
                pipeline.add(consumer.keys[partition])
                pipeline.add(consumer.options.group)
                for entry in entries { pipeline.add(entry) }
            }
        }
    }

    // MARK: How it goes

    private func succeeded() {
        if consumer.pulse.failing(at: .now()) != nil {
            consumer.log.notice("redis streams are read")
        }
        pause = StreamPause()
        eagerReads = max(eagerReads - 1, 0)
        consumer.pulse.succeeded()
    }

    private func failed(_ error: RedisError) {
        mustRecover = true
        // What did not come may have been too much, for the time or for the server: 200 events of
        // 256 KiB are 50 MiB. It grows again with each read that is answered.
        if error.code.endsConnection {
            readCount = max(readCount / 4, ConsumerRun.readCounts.lowerBound)
        }
        if consumer.pulse.failed(error.description) {
            consumer.log.warning("redis streams are not read") { $0.add("error", error) }
        }
        // Where nothing was asked, nothing is in doubt.
        if error.code != .breakerOpen { consumer.continuity.suspect() }
        eagerReads = ConsumerRun.eagerReads
        _ = consumer.state.wait(
            until: .after(pause.next(after: error.code)), for: { $0.isStopping }, then: { _ in })
    }
}

extension RedisPipeline {
    mutating func add(_ id: StreamEntryID) {
        var text = ByteBuffer(capacity: 44)
        text.append(id)
        add(text.span)
    }
}
