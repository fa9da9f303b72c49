import EventCoding
import Primitives
import Redis
import Storage
import Telemetry

/// What Redis tells a store's consumer with each read, beside the entries: where caps have cut the
/// streams, and whether other nodes erase. The consumer's thread only.
struct StreamNews {
    private let consumer: StreamConsumer
    /// The last entry that the group was given, by partition.
    private var delivered: [StreamEntryID]
    /// Where the streams began after the last cuts that were looked at; nil before the first look.
    private var cutsSeen: [StreamEntryID?]?
    private var hasToldOfBlindness = false
    /// Redis has another count of erasures than when they were learnt.
    private(set) var hasUnknownErasures = true
    /// A cap took entries that this group had not been given as far as this knew. It may have been given
    /// others that nobody here has seen, so what is pending has to be read.
    private(set) var hasCut = false

    private static let beginLimit = Duration.seconds(5)

    init(_ consumer: StreamConsumer) {
        self.consumer = consumer
        delivered = Array(repeating: .zero, count: consumer.keys.count)
    }

    // MARK: Asking

    func addQuestion(to pipeline: inout RedisPipeline) {
        pipeline.begin("MGET", argumentCount: consumer.keys.count + 1)
        for key in consumer.keys.cuts { pipeline.add(key) }
        pipeline.add(ErasureExchange.countKey)
    }

    /// Where each stream began after its last cut. Nothing where that may not be asked: caps then go
    /// unseen, which is said once.
    mutating func cuts(in reply: RedisReply) -> [StreamEntryID?] {
        if let error = reply.error, !hasToldOfBlindness {
            hasToldOfBlindness = true
            consumer.log.error("what caps of the streams cut cannot be seen") {
                $0.add("error", error)
            }
        }
        let texts = reply.elements
        if reply.error == nil {
            let count = texts[consumer.keys.count]?.string
            hasUnknownErasures = consumer.exchange.isNews(count)
        }
        return texts.prefix(consumer.keys.count).map { $0.bytes.flatMap { StreamEntryID($0) } }
    }

    // MARK: Caps

    /// What the group was given, as Redis says.
    /// - Parameter missing: partitions that have no such group: what was cut before there was one was
    ///   never meant for it.
    mutating func found(
        delivered found: [StreamEntryID], missing: [Int], cuts: [StreamEntryID?]
    ) {
        if cutsSeen == nil {
            cutsSeen = Array(repeating: nil, count: found.count)
            delivered = found
            for partition in missing where partition < cuts.count {
                cutsSeen?[partition] = cuts[partition]
            }
        }
        // A read whose answer was lost may have moved the group past a cut, so what was cut is judged
        // by what this knew before.
        look(at: cuts)
        delivered = found
        hasCut = false
    }

    /// The group was given `entries`, by partition, and the streams were cut so far before that.
    mutating func read(_ entries: [[StreamEntryID]], cuts: [StreamEntryID?]) {
        look(at: cuts)
        for (partition, entries) in entries.enumerated() {
            delivered[partition] = max(delivered[partition], entries.last ?? .zero)
        }
    }

    /// Whether a cap, here or on another node, has taken what this group had not been given when it
    /// was last known how far it is.
    private mutating func look(at cuts: [StreamEntryID?]) {
        for (partition, cut) in zip(delivered.indices, cuts) {
            guard let cut, cut != cutsSeen?[partition] else { continue }
            cutsSeen?[partition] = cut
            guard cut > delivered[partition] else { continue }
            hasCut = true
            consumer.cut(of: consumer.keys.names[partition], from: delivered[partition], to: cut)
        }
    }

    // MARK: Erasures

    /// Has erasures begin here that other nodes were asked for.
    /// - Throws: if one has not: what was read meanwhile must not be handed on.
    mutating func learnErasures() throws(RedisError) {
        let reading = try consumer.redis.call(
            .consumer, within: ConsumerRun.answerLimit, isQuestion: true
        ) { session throws(RedisError) in try consumer.exchange.read(session) }
        for erasure in reading.unknown { try begin(erasure) }
        consumer.exchange.learned(reading)
        hasUnknownErasures = false
    }

    private func begin(_ erasure: Erasure) throws(RedisError) {
        let journal = consumer.journal
        let ticket = consumer.store.erase(erasure, barrier: { journal.committedSequence })
        journal.ring()
        guard let ticket,
            consumer.store.waitUntilBegun(ticket, deadline: .after(StreamNews.beginLimit))
        else { throw RedisError(.unexpectedReply, "an erasure of another node waits to begin") }
        consumer.log.notice("audit: erasure of events ordered by another node") {
            $0.add("erasure", erasure.id)
            $0.add("node", erasure.node)
            $0.add("conditions", erasure.conditions)
        }
    }
}
