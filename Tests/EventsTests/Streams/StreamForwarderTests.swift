import EventCoding
import Primitives
import Redis
import Storage
import Telemetry
import TestSupport
import Testing

@testable import Ingest
@testable import Journal
@testable import Streams

/// The forwarder of a node, against a real Redis or one that says what it is told. The test does
/// what the writer does.
@Suite(.blocking) struct StreamForwarderTests {
    private let directory: TemporaryDirectory
    private let server: RedisServer
    private let proxy: FaultProxy
    private let parts: StreamParts
    private let forwarder: StreamForwarder

    init() throws {
        let directory = try TemporaryDirectory()
        let server = try RedisServer()
        let proxy = try FaultProxy(to: server.port)
        let redis = GuardedRedis(
            SinkStreamHarness.url(of: proxy), lanes: [.streams], clientName: "test",
            logger: .silent)
        let parts = try StreamParts.make(in: directory, redis)
        forwarder = StreamForwarder(
            parts,
            from: ForwarderProgress(
                ForwarderCheckpoint(), marks: RowMarks(start: CommitPoint(position: 0, lastSeq: 0)),
                directory: try JournalDirectory(path: directory.path), log: .silent),
            holdLimitBytes: 1 << 30)
        (self.directory, self.server, self.proxy, self.parts) = (directory, server, proxy, parts)
    }

    private func stop() {
        forwarder.stop(until: .after(.seconds(1)))
        parts.redis.close()
        parts.journal.close()
        proxy.stop()
    }

    /// A record of one event.
    private func commitEvent(_ number: Int, subject: String? = nil) {
        let fields = ["\(number)", "t", "/s", subject ?? ""].map { Bytes($0) }
        defer { withExtendedLifetime(fields) {} }
        let batch = JournalBatch()
        batch.beginRecord()
        batch.bytes.append(
            event: EventRow(
                identity: .client(fields[0].span), time: WallClock.nowMilliseconds(),
                type: fields[1].span,
                source: fields[2].span, subject: subject == nil ? nil : fields[3].span, data: nil,
                extensions: nil))
        batch.endEvent()
        batch.endRecord()
        let outcomes = Outcomes()
        parts.journal.submit(batch, completion: outcomes.completion)
        #expect(outcomes.wait(1).count == 1)
    }

    /// Asks Redis itself.
    /// - Returns: the answer, where it is a number.
    @discardableResult
    private func ask(_ build: (inout RedisPipeline) -> Void) throws -> Int64? {
        let redis = GuardedRedis(
            server.url(), lanes: [.streams], clientName: "test", logger: .silent)
        defer { redis.close() }
        var pipeline = RedisPipeline()
        build(&pipeline)
        return try redis.call(.streams, within: .seconds(5)) { session throws(RedisError) in
            try session.single(pipeline).integer
        }
    }

    private var streamLength: Int64? { try? ask { $0.command("XLEN", parts.keys.names[0]) } }

    @Test(arguments: [0, 9 << 20])
    func `passes a record that is no event, and the writer sets it aside from the journal`(
        bytes: Int
    ) throws {
        defer { stop() }
        commitEvent(1)
        _ = parts.journal.commit([payload(2, bytes: bytes)])
        commitEvent(3)
        forwarder.start()
        #expect(eventually { forwarder.position == 3 })
        #expect(streamLength == 2)
        let writer = EventWriter(
            journal: parts.journal, store: parts.store, retention: nil, journalMaxBytes: 1 << 30,
            log: .silent)
        writer.start()
        defer { writer.stop(until: .after(.seconds(10))) }
        #expect(eventually { parts.store.position == 3 })
        let kept = try parts.store.quarantined(limit: 99, deadline: .after(.seconds(10)))
        #expect(kept.filter { $0.code == "unreadable_record" }.count == 1)
    }

    @Test(arguments: [false, true])
    func `what the journal lost before it was sent comes from the store`(isStoredBefore: Bool)
        throws
    {
        defer { stop() }
        for number in [11_111, 22_222, 33_333] { commitEvent(number) }
        let writer = EventWriter(
            journal: parts.journal, store: parts.store, retention: nil, journalMaxBytes: 1 << 30,
            log: .silent)
        defer { writer.stop(until: .after(.seconds(10))) }
        if isStoredBefore {
            writer.start()
            #expect(eventually { parts.store.position == 3 })
        }
        try directory.damage("22222", in: "journal")
        forwarder.start()
        if !isStoredBefore {
            // It waits for the store, which may have what the journal lost.
            #expect(!eventually(within: .milliseconds(300)) { forwarder.position > 0 })
            writer.start()
        }
        #expect(eventually { forwarder.position == 3 && forwarder.gaps == 0 })
        let sent = isStoredBefore ? ["11111", "22222", "33333"] : ["11111", "33333"]
        #expect(try entries(from: "-", to: "+") == sent)
    }

    @Test func `an end stays where it is when everything is sent again`() throws {
        defer { stop() }
        commitEvent(1, subject: "ann")
        commitEvent(2, subject: "bob")
        let erasure = Erasure(
            id: "e1", requested: WallClock.nowMilliseconds(), node: "n", conditions: "subject",
            matcher: ErasureMatcher(EventFilter(subjects: ["ann"])))
        _ = parts.store.erase(erasure) { 2 }
        try parts.store.maintain(now: .now(), isIdle: false)
        forwarder.start()
        let end = try #require(
            parts.exchange.waitUntilAnnounced("e1", deadline: .after(.seconds(10)))?.first)
        // Accepted after the erasure began: others must not take it for an older one.
        commitEvent(3, subject: "ann")
        #expect(eventually { forwarder.position == 3 })
        let later = "(\(end)"
        #expect(try entries(from: later, to: "+") == ["3"])
        // Redis lost the last that it was told, and this node cannot know how much.
        try ask { $0.command("HDEL", parts.keys.mark, "n") }
        parts.lossDetector.suspect()
        #expect(eventually { forwarder.losses.count == 1 && forwarder.position == 3 })
        #expect(parts.exchange.waitUntilAnnounced("e1", deadline: .after(.seconds(10))) == [end])
        #expect(try entries(from: "-", to: "\(end)") == ["1", "2"])
        #expect(try entries(from: later, to: "+") == ["3", "2", "3"])
        // One that was emptied gets it again. What is sent now lies beyond, whatever ids it gives.
        try ask { $0.command("FLUSHALL") }
        parts.lossDetector.suspect()
        #expect(eventually { forwarder.losses.count == 2 && forwarder.position == 3 })
        #expect(parts.exchange.waitUntilAnnounced("e1", deadline: .after(.seconds(10))) == [.zero])
        #expect(try entries(from: "-", to: "+") == ["2", "3"])
    }

    @Test(arguments: ["$5\r\nhello\r\n", "$3\r\n0-0\r\n", "$2\r\n-1\r\n", "+OK\r\n", ":7\r\n"])
    func `an answer to XADD that is no id acknowledges nothing and ends the connection`(
        reply: String
    ) throws {
        defer { stop() }
        proxy.set(.script(["XADD": reply]))
        commitEvent(1)
        forwarder.start()
        #expect(eventually { forwarder.failures > 1 })
        #expect(forwarder.position == 0)
        #expect(parts.redis.connectionsMade(.streams) > 1)
        #expect((parts.redis.status.first?.failureCount ?? 0) > 0)
        proxy.set(.none)
        #expect(eventually(within: .seconds(20)) { forwarder.position == 1 })
        #expect(streamLength == 1)
    }

    @Test func `ids that do not grow acknowledge nothing`() throws {
        defer { stop() }
        proxy.set(.script(["XADD": "$15\r\n1700000000000-0\r\n"]))
        commitEvent(1)
        forwarder.start()
        #expect(eventually { forwarder.position == 1 })
        commitEvent(2)
        #expect(eventually { forwarder.failures > 0 })
        #expect(forwarder.position < 2)
    }

    @Test func `ids that are lower because Redis was emptied bring everything again`() throws {
        defer { stop() }
        let key = parts.keys.names[0]
        try ask { $0.command("XADD", key, "9000000000000-1", "event", "{}") }
        commitEvent(1)
        forwarder.start()
        #expect(eventually { forwarder.position == 1 })
        try ask { $0.command("FLUSHALL") }
        commitEvent(2)
        #expect(eventually { forwarder.position == 2 })
        // The second was there before its id was looked at.
        #expect((streamLength ?? 0) >= 3)
        #expect(forwarder.losses.count == 1)
    }

    // MARK: Gaps and erasures

    /// Rows of one event each.
    private func store(_ numbers: Range<Int>, subject: String) throws {
        // The inserter borrows them until it flushes.
        let rows = numbers.map { number in ["\(number)", "t", "/s", subject].map { Bytes($0) } }
        defer { withExtendedLifetime(rows) {} }
        try parts.store.write(position: nil) { (inserter) throws(StorageError) in
            for fields in rows {
                try inserter.add(
                    EventRow(
                        identity: .client(fields[0].span), time: WallClock.nowMilliseconds(),
                        type: fields[1].span, source: fields[2].span, subject: fields[3].span,
                        data: nil, extensions: nil))
            }
            if let rejected = try inserter.flush().first { throw rejected.error }
        }
    }

    @Test func `what is accepted after an erasure began follows its end, also after an outage`()
        throws
    {
        defer { stop() }
        try store(1..<4, subject: "ann")
        try store(4..<6, subject: "bob")
        // The last record that was accepted before is still in the journal.
        for number in 6..<8 { commitEvent(number) }
        let erasure = Erasure(
            id: "e1", requested: WallClock.nowMilliseconds(), node: "n", conditions: "subject",
            matcher: ErasureMatcher(EventFilter(subjects: ["ann"])))
        _ = parts.store.erase(erasure) { 2 }
        try parts.store.maintain(now: .now(), isIdle: false)
        #expect(parts.store.erasures.erasure("e1")?.through == 5)
        commitEvent(8)
        try store(9..<12, subject: "ann")
        // The journal let go of the first record, and of nothing later.
        var checkpoint = ForwarderCheckpoint()
        checkpoint.position = 1
        checkpoint.addGap(after: 0, upTo: 8)
        let forwarder = StreamForwarder(
            parts,
            from: ForwarderProgress(
                checkpoint, marks: RowMarks(start: CommitPoint(position: 0, lastSeq: 0)),
                directory: try JournalDirectory(path: directory.path), log: .silent),
            holdLimitBytes: 1 << 30)
        forwarder.start()
        defer { forwarder.stop(until: .after(.seconds(1))) }
        #expect(eventually { forwarder.gaps == 0 && forwarder.position == 3 })
        // Record 2, the end of the erasure, rows 4 and 5, rows 9 to 11, record 3.
        let end = parts.exchange.waitUntilAnnounced("e1", deadline: .after(.seconds(1)))?.first
        let last = try #require(end)
        #expect(try entries(from: "-", to: "\(last)") == ["7"])
        let later = try entries(from: "(\(last)", to: "+")
        #expect(later == ["4", "5", "9", "10", "11", "8"])
    }

    @Test func `what is left of a frame is compared with the ends of erasures as the whole was`()
        throws
    {
        defer { stop() }
        // Another node wrote it, before it knew of either.
        var frame = ByteBuffer()
        for subject in ["ann", "bob", "cid"] {
            let fields = ["1", "t", "/s", subject].map { Bytes($0) }
            frame.append(
                event: EventRow(
                    identity: .client(fields[0].span), time: WallClock.nowMilliseconds(),
                    type: fields[1].span,
                    source: fields[2].span, subject: fields[3].span, data: nil, extensions: nil))
            withExtendedLifetime(fields) {}
        }
        let (key, compressed) = (parts.keys[0], gzipCompress(frame.span))
        try ask { pipeline in
            pipeline.begin("XADD", argumentCount: 6)
            pipeline.add(key)
            pipeline.add(literal: "*")
            pipeline.add(literal: "frame")
            pipeline.add(compressed.span)
            pipeline.add(literal: "origin")
            pipeline.add(literal: "n:1")
        }
        let erasures = ["ann", "bob"].map { subject in
            Erasure(
                id: "erase-\(subject)", requested: WallClock.nowMilliseconds(), node: "n",
                conditions: "subject", matcher: ErasureMatcher(EventFilter(subjects: [subject])))
        }
        for erasure in erasures { _ = parts.store.erase(erasure) { 0 } }
        try parts.store.maintain(now: .now(), isIdle: false)
        forwarder.start()
        for erasure in erasures {
            let end = parts.exchange.waitUntilAnnounced(erasure.id, deadline: .after(.seconds(10)))
            #expect(end != nil)
        }
        // One that does not know the second yet takes the events of the first out.
        let late = ErasureExchange(node: "late", book: ErasureBook([erasures[0]]))
        try parts.redis.call(.streams, within: .seconds(5)) { session throws(RedisError) in
            _ = try late.read(session)
        }
        let last = StreamEntryID(milliseconds: .max, number: 0)
        #expect(try StreamEraser(parts.redis, parts.keys, late).run(0, through: last) == 1)
        let eraser = StreamEraser(parts.redis, parts.keys, parts.exchange)
        #expect(try eraser.run(0, through: last) == 1)
        #expect(try eraser.run(0, through: last) == 0)
        #expect(streamLength == 1)
    }

    /// Ids of the events between two entries.
    private func entries(from start: String, to end: String) throws -> [String] {
        let redis = GuardedRedis(
            server.url(), lanes: [.streams], clientName: "test", logger: .silent)
        defer { redis.close() }
        var pipeline = RedisPipeline()
        pipeline.command("XRANGE", parts.keys.names[0], start, end)
        return try redis.call(.streams, within: .seconds(5)) {
            session throws(RedisError) -> [String] in
            var ids: [String] = []
            for entry in try session.single(pipeline).elements {
                var parts = entry.elements
                _ = parts.next()
                guard let fields = parts.next(),
                    let event = StreamEntryFields(fields.elements).event
                else { continue }
                let text = String(decoding: event, as: UTF8.self)
                ids += text.firstMatch(of: /"id":"(\d+)"/).map { [String($0.1)] } ?? []
            }
            return ids
        }
    }
}
