import Primitives
import Redis
import Storage
import Telemetry
import TestSupport
import Testing

@testable import Events

/// The consumer of a node, against a real Redis. The test does what forwarder and writer do.
@Suite(.blocking) struct StreamConsumerTests {
    private let directory: TemporaryDirectory
    private let server: RedisServer
    private let parts: StreamParts

    init() throws {
        let directory = try TemporaryDirectory()
        let server = try RedisServer()
        let redis = GuardedRedis(
            server.url(), lanes: [.streams, .consumer], clientName: "test", logger: .silent)
        parts = try StreamParts.make(in: directory, redis)
        (self.directory, self.server) = (directory, server)
    }

    private func startConsumer() -> StreamConsumer {
        let consumer = StreamConsumer(parts)
        consumer.start()
        return consumer
    }

    private func stop(_ consumer: StreamConsumer) {
        consumer.stop()
        parts.redis.close()
        parts.journal.close()
    }

    /// As another node would.
    private func addEntry(_ number: Int) throws -> StreamEntryID {
        var pipeline = RedisPipeline()
        pipeline.command(
            "XADD", parts.keys.names[0], "*", "event",
            #"{"id":"\#(number)","type":"t","source":"/s"}"#)
        let text = try parts.redis.call(
            .streams, within: .seconds(5)
        ) { session throws(RedisError) in try session.single(pipeline).string }
        return try #require(StreamEntryID(text ?? ""))
    }

    /// Takes batches as the writer does, until the ledger says so or the time is over.
    /// - Returns: events that were in them.
    private func store(
        until isSo: (StreamLedger, Int) -> Bool, within limit: Duration = .seconds(20)
    ) -> Int {
        let deadline = Deadline.after(limit)
        var count = 0
        while !isSo(parts.ledger, count), !deadline.hasPassed {
            guard let batch = parts.queue.next(until: .after(.milliseconds(50))) else { continue }
            count += batch.eventCount
            parts.ledger.stored(batch)
            parts.queue.stored(batch)
        }
        return count
    }

    @Test func `what is read before Redis was looked at settles nothing`() throws {
        let consumer = startConsumer()
        defer { stop(consumer) }
        // Making the group begins an era.
        #expect(eventually { parts.ledger.era == 2 })
        // Another node's, later than what this one's records were given by a Redis that is older
        // now.
        let end = try addEntry(1)
        parts.ledger.forwarded(upTo: 9, ends: [end], era: 2)
        #expect(store(until: { _, count in count > 0 }) == 1)
        _ = store(until: { _, _ in false }, within: .milliseconds(300))
        #expect(parts.ledger.settled == 0)
        // The forwarder has looked, and nothing is lost.
        parts.continuity.trust(since: parts.continuity.doubts)
        #expect(store(until: { ledger, _ in ledger.settled > 0 }) == 0)
        #expect(parts.ledger.settled == 9)
        // From now on, until somebody has reason to doubt.
        parts.ledger.forwarded(upTo: 10, ends: [try addEntry(2)], era: 2)
        #expect(store(until: { ledger, _ in ledger.settled > 9 }) == 1)
        #expect(parts.ledger.settled == 10)
    }

    @Test func `a cut is noticed although the read behind it got no answer`() throws {
        let consumer = startConsumer()
        defer { stop(consumer) }
        #expect(eventually { parts.ledger.era == 2 })
        _ = try addEntry(1)
        let first = store(until: { _, count in count > 0 })
        parts.continuity.trust(since: parts.continuity.doubts)
        // What the consumer reads again now has been stored before.
        _ = store(until: { _, _ in false }, within: .milliseconds(300))
        let end = StreamEntryID(milliseconds: 9_000_000_000_000, number: 2)
        parts.ledger.forwarded(upTo: 9, ends: [end], era: parts.ledger.era)
        // Two entries come, another node's cap cuts the first, and a read is given the second; the
        // consumer, which waits in a read, sees none of it before its connection ends.
        let key = parts.keys.names[0]
        var pipeline = RedisPipeline()
        pipeline.command("MULTI")
        for number in 2...3 {
            pipeline.command(
                "XADD", key, "9000000000000-\(number - 1)", "event",
                #"{"id":"\#(number)","type":"t","source":"/s"}"#)
        }
        pipeline.command("XTRIM", key, "MINID", "=", "\(end)")
        pipeline.command("SET", parts.keys.cuts[0], "\(end)")
        pipeline.command("XREADGROUP", "GROUP", "g", "n", "STREAMS", key, ">")
        pipeline.command("EXEC")
        pipeline.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        try parts.redis.call(.streams, within: .seconds(5)) { session throws(RedisError) in
            for reply in try session.send(pipeline) {
                if let error = reply.error { throw error }
            }
        }
        let rest = store(until: { _, count in
            // As the forwarder, which finds nothing lost.
            parts.continuity.trust(since: parts.continuity.doubts)
            return count > 0
        })
        #expect(first == 1 && rest == 1)
        #expect(parts.ledger.era > 2)
        _ = store(until: { _, _ in false }, within: .milliseconds(300))
        #expect(parts.ledger.settled == 0)
    }

    @Test func `a new connection asks for another look`() throws {
        let continuity = parts.continuity
        continuity.trust(since: continuity.doubts)
        #expect(continuity.isTrusted)
        _ = try addEntry(1)
        #expect(!continuity.isTrusted)
        let doubts = continuity.doubts
        continuity.suspect()
        continuity.trust(since: doubts)
        // It came while the look was made.
        #expect(!continuity.isTrusted)
        continuity.trust(since: continuity.doubts)
        _ = try addEntry(2)
        #expect(continuity.isTrusted)
        parts.journal.close()
    }
}
