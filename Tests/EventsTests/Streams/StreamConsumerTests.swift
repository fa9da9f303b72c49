import Primitives
import Redis
import Storage
import Telemetry
import TestSupport
import Testing

@testable import EventCoding
@testable import Journal
@testable import Streams

/// The consumer of a node, against a real Redis. The test does what forwarder and writer do.
@Suite(.blocking) struct StreamConsumerTests {
    private let directory: TemporaryDirectory
    private let server: RedisServer
    private let parts: StreamParts
    private let lines = LogLines()

    init() throws {
        let directory = try TemporaryDirectory()
        let server = try RedisServer()
        let redis = GuardedRedis(
            server.url(), lanes: [.streams, .consumer], clientName: "test", logger: .silent)
        parts = try StreamParts.make(in: directory, redis, log: lines.log)
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

    private func ask(_ build: (inout RedisPipeline) -> Void) throws -> Int64? {
        var pipeline = RedisPipeline()
        build(&pipeline)
        return try parts.redis.call(.streams, within: .seconds(5)) { session throws(RedisError) in
            let reply = try session.single(pipeline)
            return (reply.elements.first ?? reply).integer
        }
    }

    /// As the node does that `origin` names.
    private func addEntry(_ number: Int, origin: String = "other:0-1") throws {
        _ = try ask {
            $0.command(
                "XADD", parts.keys.names[0], "*", "event",
                #"{"id":"\#(number)","type":"t","source":"/s"}"#, "origin", origin)
        }
    }

    /// The journal gets five records.
    private func commitFive() { _ = parts.journal.commit((1...5).map { "\($0)" }) }

    private var pending: Int64? {
        try? ask { $0.command("XPENDING", parts.keys.names[0], "g") }
    }

    /// Takes batches as the writer does, until there were so many events or the time is over.
    /// - Returns: events that were in them.
    private func store(_ count: Int, within limit: Duration = .seconds(20)) -> Int {
        let deadline = Deadline.after(limit)
        var found = 0
        while found < count, !deadline.hasPassed {
            guard let batch = parts.queue.next() else {
                sleep(until: .after(.milliseconds(5)))
                continue
            }
            found += batch.eventCount
            parts.queue.stored(batch)
        }
        return found
    }

    @Test func `an own entry is skipped, and acknowledged once the store has its record`() throws {
        let consumer = startConsumer()
        defer { stop(consumer) }
        commitFive()
        let origin = "n:\(parts.journal.identity)"
        try addEntry(1, origin: "\(origin)-4")
        try addEntry(2, origin: "\(origin)-5:g")
        #expect(eventually { consumer.read.count == 2 })
        #expect(store(1, within: .milliseconds(500)) == 0)
        #expect(pending == 2)
        try parts.store.write(position: 4) { _ in }
        #expect(store(1, within: .milliseconds(500)) == 0)
        #expect(pending == 2)
        try parts.store.write(position: 5) { _ in }
        #expect(eventually { pending == 0 })
    }

    @Test(
        arguments: [
            "n:000000000000-5", "n:5", "m:JOURNAL-5", "n:JOURNAL-5x", "n:JOURNAL-", "n:JOURNAL-6",
            "n:JOURNAL-99999999999999999999",
        ])
    func `an entry that this journal did not write is stored`(origin: String) throws {
        let consumer = startConsumer()
        defer { stop(consumer) }
        commitFive()
        try parts.store.write(position: 9) { _ in }
        try addEntry(1, origin: origin.replacing("JOURNAL", with: "\(parts.journal.identity)"))
        #expect(store(1) == 1)
        #expect(eventually { pending == 0 })
    }

    @Test func `once the journal lost a record, what was skipped is read again and stored`() throws
    {
        let consumer = startConsumer()
        defer { stop(consumer) }
        commitFive()
        try addEntry(1, origin: "n:\(parts.journal.identity)-5")
        #expect(eventually { consumer.read.count == 1 })
        // As the writer does when it comes to a record that is damaged.
        parts.journal.renewIdentity(above: parts.store.position)
        try parts.store.write(position: 5) { _ in }
        #expect(store(1) == 1)
        #expect(eventually { pending == 0 })
    }

    @Test func `a cut is noticed although the read behind it got no answer`() throws {
        let consumer = startConsumer()
        defer { stop(consumer) }
        try addEntry(1)
        #expect(store(1) == 1)
        #expect(eventually { pending == 0 })
        let end = StreamEntryID(milliseconds: 9_000_000_000_000, number: 2)
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
        #expect(store(1) == 1)
        #expect(eventually { !lines.all("may not have read", "\(end)").isEmpty })
    }

    @Test func `a new connection asks for another look`() throws {
        let lossDetector = parts.lossDetector
        lossDetector.trust(since: lossDetector.doubts)
        #expect(lossDetector.isTrusted)
        _ = try addEntry(1)
        #expect(!lossDetector.isTrusted)
        let doubts = lossDetector.doubts
        lossDetector.suspect()
        lossDetector.trust(since: doubts)
        // It came while the look was made.
        #expect(!lossDetector.isTrusted)
        lossDetector.trust(since: lossDetector.doubts)
        _ = try addEntry(2)
        #expect(lossDetector.isTrusted)
        parts.journal.close()
    }
}
