import Primitives
import Redis
import Storage
import Telemetry

/// What Redis tells beside the entries: what caps have cut, and what other nodes erase.
extension ConsumerRun {
    // MARK: Caps

    func addQuestionForCuts() {
        pipeline.begin("MGET", argumentCount: consumer.keys.count + 1)
        for key in consumer.keys.cuts { pipeline.add(key) }
        pipeline.add(ErasureExchange.countKey)
    }

    /// Where each stream began after its last cut. Nothing where that may not be asked: caps then go
    /// unseen, which is said once.
    func cuts(in reply: RedisReply) -> [StreamEntryID?] {
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

    // MARK: Erasures

    private static let beginLimit = Duration.seconds(5)

    /// Has erasures begin here that other nodes were asked for.
    /// - Throws: if one has not: what was read meanwhile must not be handed on.
    func learnErasures() throws(RedisError) {
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
            consumer.store.waitUntilBegun(ticket, deadline: .after(ConsumerRun.beginLimit))
        else { throw RedisError(.unexpectedReply, "an erasure of another node waits to begin") }
        consumer.log.notice("audit: erasure of events ordered by another node") {
            $0.add("erasure", erasure.id)
            $0.add("node", erasure.node)
            $0.add("conditions", erasure.conditions)
        }
    }

    /// Whether a cap, here or on another node, has taken what this group had not been given when it
    /// was last known how far it is.
    func look(at cuts: [StreamEntryID?]) {
        for (partition, cut) in zip(cutsSeen.indices, cuts) {
            guard let cut, cut != cutsSeen[partition] else { continue }
            cutsSeen[partition] = cut
            if cut > delivered[partition] {
                consumer.cut(
                    of: consumer.keys.names[partition], from: delivered[partition], to: cut)
            }
        }
    }
}
