import Primitives
import Redis
import Telemetry

/// The consumer's thread and what belongs to it alone.
final class ConsumerRun {
    let consumer: StreamConsumer
    let decoder: StreamEntryDecoder
    var pipeline = RedisPipeline(capacity: 16 << 10)
    /// The ledger's era in which it last read what was pending.
    var era: UInt64 = 0
    /// Reads of pending entries since the start that got no answer.
    var unansweredReads: Int64 = 0
    /// The last entry that the group was given, by partition.
    var delivered: [StreamEntryID]
    /// Where the streams began after the last cuts that were looked at.
    var cutsSeen: [StreamEntryID?]
    var hasSeenCuts = false
    var hasToldOfBlindness = false
    private var mustRecover = true
    /// Something was read while it was not known whether Redis had lost data. It says nothing of
    /// what is stored, so what is pending has to be read once more when that is known.
    var isBlind = false
    private var nextClaim: MonotonicTime
    private var failuresInARow = 0

    /// Entries of one partition in one reply: fewer where they are large, or time out.
    private static let readCounts = 4...2000
    /// What one reply should bring, decoded.
    private static let readBytes = 4 << 20
    static let firstReadCount = 200
    private(set) var readCount = ConsumerRun.firstReadCount
    /// How long Redis holds a read that finds nothing: also how late a stop may be noticed, and
    /// acknowledgements without a later read.
    private static let blockTime = Duration.milliseconds(200)
    /// For sending the reply, some 3 MiB at most, and for anything that does not block.
    static let answerLimit = Duration.milliseconds(300)
    private static let claimInterval = Duration.seconds(5)

    init(_ consumer: StreamConsumer) {
        self.consumer = consumer
        decoder = StreamEntryDecoder(unreadable: consumer.unreadable)
        nextClaim = .now() + ConsumerRun.claimInterval
        delivered = Array(repeating: .zero, count: consumer.keys.count)
        cutsSeen = Array(repeating: nil, count: consumer.keys.count)
    }

    func run() {
        while !consumer.isStopping {
            do throws(RedisError) {
                if mustRecover || consumer.ledger.era != era
                    || isBlind && consumer.continuity.isTrusted
                {
                    era = consumer.ledger.era
                    try recover()
                    mustRecover = false
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
            consumer.log.info(
                "entries stay pending in redis", ["error": .string(error.description)])
        }
    }

    // MARK: Reading

    /// Acknowledges what was stored, and reads on if there is room for what comes.
    private func readMore() throws(RedisError) {
        let hasRoom = consumer.queue.waitForRoom(until: .after(ConsumerRun.blockTime))
        let stored = consumer.queue.takeStored()
        pipeline.removeAll()
        addAcknowledgements(stored)
        if hasRoom {
            addRead()
            addQuestionForCuts()
        }
        guard !pipeline.isEmpty else { return }
        let batch = consumer.queue.take()
        let block = hasRoom ? ConsumerRun.blockTime : .zero
        var cuts: [StreamEntryID?] = []
        try consumer.redis.call(
            .consumer, within: ConsumerRun.answerLimit, waitAllowance: block
        ) { session throws(RedisError) in
            if hasRoom { batch.era = eraOfReads() }
            let replies = try session.send(pipeline)
            for (index, reply) in replies.enumerated() {
                if hasRoom, index == replies.count - 1 {
                    cuts = self.cuts(in: reply)
                    continue
                }
                if let error = reply.error { throw error }
                guard hasRoom, index == replies.count - 2 else { continue }
                // Whatever answers at once with something else would be asked again at once.
                guard reply.kind == .array || reply.isNull else {
                    throw RedisError(.unexpectedReply, "XREADGROUP was not answered with entries")
                }
                take(reply, into: batch)
            }
        }
        succeeded()
        adaptReadCount(
            entries: batch.entryCount, bytes: batch.payload.count, asked: readCount,
            limit: ConsumerRun.readCounts.upperBound)
        for batch in stored { consumer.queue.giveBack(batch) }
        look(at: cuts)
        for (partition, end) in batch.reach.enumerated() {
            delivered[partition] = max(delivered[partition], end)
        }
        hand(over: batch)
    }

    /// Asks for less next time if this was too much, and for more if it was little.
    /// - Parameters:
    ///   - asked: entries of a partition that were asked for.
    ///   - limit: how far the count may grow.
    func adaptReadCount(entries: Int, bytes: Int, asked: Int, limit: Int) {
        if bytes > ConsumerRun.readBytes {
            readCount = max(
                readCount * ConsumerRun.readBytes / bytes, ConsumerRun.readCounts.lowerBound)
        } else if entries >= asked, bytes < ConsumerRun.readBytes / 2 {
            readCount = min(2 * readCount, max(readCount, limit))
        }
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
        pipeline.add(decimal: Int(ConsumerRun.blockTime.wholeMilliseconds))
        pipeline.add(literal: "STREAMS")
        for partition in 0..<keys.count { pipeline.add(keys[partition]) }
        for _ in 0..<keys.count { pipeline.add(literal: ">") }
    }

    /// Takes the entries of a reply: an array of keys and their entries, or null.
    private func take(_ reply: RedisReply, into batch: StreamBatch) {
        for stream in reply.elements {
            var parts = stream.elements
            guard let key = parts.next()?.bytes, let entries = parts.next(),
                let partition = consumer.keys.partition(of: key)
            else { continue }
            for entry in entries.elements {
                guard let id = take(entry, of: partition, into: batch) else { continue }
                batch.reach[partition] = id
            }
        }
        consumer.read.add(batch.entryCount)
    }

    /// Takes one entry: its id and its fields, or null where it is gone.
    /// - Returns: its id; nil for what is no entry.
    func take(
        _ entry: RedisReply, of partition: Int, into batch: StreamBatch
    ) -> StreamEntryID? {
        var parts = entry.elements
        guard let id = parts.next()?.bytes.flatMap({ StreamEntryID($0) }),
            let fields = parts.next()
        else { return nil }
        batch.add(id, of: partition)
        if fields.isNull {
            batch.goneCount += 1
        } else {
            decoder.decode(fields.elements, of: id, into: batch)
        }
        return id
    }

    /// Gives a batch to the writer, if there is anything in it.
    func hand(over batch: StreamBatch) {
        if batch.goneCount > 0 { consumer.lost(batch.goneCount, "trimmed while pending") }
        guard !batch.saysNothing else { return consumer.queue.giveBack(batch) }
        consumer.queue.put(batch)
    }

    // MARK: Acknowledging

    /// Acknowledges what is stored, by itself.
    func acknowledge() throws(RedisError) {
        let stored = consumer.queue.takeStored()
        pipeline.removeAll()
        addAcknowledgements(stored)
        if !pipeline.isEmpty {
            try consumer.redis.call(
                .consumer, within: ConsumerRun.answerLimit
            ) { session throws(RedisError) in
                for reply in try session.send(pipeline) {
                    if let error = reply.error { throw error }
                }
            }
        }
        for batch in stored { consumer.queue.giveBack(batch) }
    }

    private func addAcknowledgements(_ batches: [StreamBatch]) {
        for batch in batches {
            for (partition, entries) in batch.entries.enumerated() where !entries.isEmpty {
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
        failuresInARow = 0
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
            consumer.log.warning(
                "redis streams are not read", ["error": .string(error.description)])
        }
        // Where nothing was asked, nothing is in doubt.
        if error.code != .breakerOpen { consumer.continuity.suspect() }
        failuresInARow += 1
        // The first failure is worth a try at once: the group may only have to be made again.
        let isBreakers = error.code == .breakerOpen || error.code.isTransient
        let pause =
            failuresInARow == 1 ? 5 : isBreakers || failuresInARow < 10 ? 40 : 1000
        _ = consumer.state.wait(
            until: .after(.milliseconds(pause)), for: { $0.isStopping }, then: { _ in })
    }
}

extension RedisPipeline {
    mutating func add(_ id: StreamEntryID) {
        var text = ByteBuffer(capacity: 44)
        text.append(id)
        add(text.span)
    }
}
