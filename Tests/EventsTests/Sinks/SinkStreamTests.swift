import Primitives
import Redis
import Storage
import Telemetry
import TestSupport
import Testing

@testable import Sinks

/// Sinks that share streams, against a real Redis.
@Suite(.blocking) struct SinkStreamTests {
    private let stream: SinkStreamHarness
    private let harness: SinkHarness

    init() throws {
        stream = try SinkStreamHarness()
        harness = stream.store
    }

    @Test func `two nodes share the work and each event goes out once`() throws {
        let receiver = try Receiver()
        let nodes = ["a", "b"].map { stream.node($0, stream.options(receiver), partitions: 2) }
        defer { nodes.forEach(stream.stop) }
        for step in 0..<10 {
            try stream.add(step * 40..<step * 40 + 20, partition: 0)
            try stream.add(step * 40 + 20..<step * 40 + 40, partition: 1)
        }
        #expect(try harness.wait { receiver.taken.count >= 400 })
        #expect(receiver.taken.sorted() == names(0..<400).sorted())
        #expect(
            try harness.wait { (try? stream.pending(0)) == "0" && (try? stream.pending(1)) == "0" })
        let delivered = nodes.map { $0.statuses[0].delivered }
        #expect(delivered.reduce(0, +) == 400)
    }

    @Test func `a partition's events arrive in their order`() throws {
        let receiver = try Receiver { _, number in number % 5 == 2 ? .status(503) : .status(200) }
        let sinks = stream.node("a", stream.options(receiver))
        defer { stream.stop(sinks) }
        try stream.add(0..<60)
        #expect(try harness.wait { receiver.taken.count >= 60 })
        #expect(receiver.taken == names(0..<60))
        #expect(try harness.wait { sinks.statuses[0].lag == 0 })
    }

    @Test func `Retry-After holds for all partitions`() throws {
        let receiver = try Receiver { _, number in
            number == 0 ? .status(429, headers: ["Retry-After: 2"]) : .status(200)
        }
        let sinks = stream.node("a", stream.options(receiver), partitions: 4)
        defer { stream.stop(sinks) }
        try stream.add(0..<10, partition: 0)
        #expect(try harness.wait { sinks.statuses[0].failedAttempts > 0 })
        for partition in 1..<4 {
            try stream.add(10 * partition..<10 * partition + 10, partition: partition)
        }
        #expect(try harness.wait { receiver.taken.count >= 40 })
        let times = receiver.deliveries.map(\.at)
        // The seconds that are asked for are whole ones of the wall clock.
        #expect(times[1].since(times[0]) >= .milliseconds(1950))
        #expect(receiver.taken.count == 40)
    }

    @Test func `what was read and not delivered is delivered after a restart`() throws {
        let receiver = try Receiver { _, _ in .hang }
        let first = stream.node("a", stream.options(receiver))
        try stream.add(0..<25)
        #expect(try harness.wait { receiver.requestCount > 0 })
        stream.stop(first)
        // A read returns as soon as there is anything, so it may have been given fewer than ten.
        #expect(try (1...10).contains(Int(stream.pending()) ?? 0))
        receiver.obey { _, _ in .status(200) }
        let second = stream.node("a", stream.options(receiver))
        defer { stream.stop(second) }
        #expect(try harness.wait { receiver.taken.count >= 25 })
        #expect(receiver.taken == names(0..<25))
    }

    @Test func `what a dead node had is taken over by another`() throws {
        let receiver = try Receiver { _, _ in .hang }
        let dead = stream.node("dead", stream.options(receiver))
        try stream.add(0..<10)
        #expect(try harness.wait { receiver.requestCount > 0 })
        stream.stop(dead)
        receiver.obey { _, _ in .status(200) }
        var patient = stream.options(receiver)
        patient.timeout = .milliseconds(100)
        let other = stream.node("b", patient, claimAfter: .milliseconds(400))
        defer { stream.stop(other) }
        try stream.add(10..<20)
        #expect(try harness.wait { receiver.taken.count >= 20 })
        #expect(receiver.taken.sorted() == names(0..<20).sorted())
        #expect(try harness.wait { (try? stream.pending()) == "0" })
    }

    @Test func `a batch in work is kept from being taken over`() throws {
        let streams = SinkStreams(
            url: stream.server.url(), node: "a", partitions: 1, encoding: .entry,
            claimAfter: .seconds(60))
        let redis = streams.connect(sinkCount: 1, log: .silent)
        defer { redis.close() }
        let source = SinkStreamSource(
            SinkOptions(name: "audit", url: "http://h"), redis: redis, store: harness.store,
            streams: streams, log: .silent)
        try stream.add(0..<3)
        let batch = try #require(try source.next(0, until: .after(.seconds(5))))
        #expect(batch.run.count == 3)
        sleep(until: .after(.milliseconds(300)))
        try source.keep(batch)
        var pipeline = RedisPipeline()
        pipeline.command(
            "XPENDING", "millrace:{0}:events", "millrace-sink:audit", "IDLE", "250", "-", "+", "9")
        #expect(try stream.run(pipeline) == ["0"])
        // Redis loses everything: the heartbeat makes the group again.
        var flush = RedisPipeline()
        flush.command("FLUSHALL")
        _ = try stream.run(flush)
        #expect(throws: SinkSourceError.self) { try source.keep(batch) }
        try stream.add(3..<5)
        let next = try #require(try source.next(0, until: .after(.seconds(5))))
        #expect(next.run.count == 2)
    }

    @Test func `a sink goes on after Redis lost everything`() throws {
        let receiver = try Receiver()
        let sinks = stream.node("a", stream.options(receiver))
        defer { stream.stop(sinks) }
        try stream.add(0..<5)
        #expect(try harness.wait { receiver.taken.count >= 5 })
        stream.server.kill()
        try stream.server.start(withData: false)
        let isBack = try harness.wait {
            do {
                try stream.add(5..<8)
                return true
            } catch { return false }
        }
        #expect(isBack)
        #expect(try harness.wait { Set(receiver.taken).isSuperset(of: names(0..<8)) })
    }

    @Test func `an entry is acknowledged once its dead letter is durable`() throws {
        let receiver = try Receiver { ids, _ in
            ids.contains("e1") ? .status(400) : .status(200)
        }
        let sinks = stream.node("a", stream.options(receiver))
        defer { stream.stop(sinks) }
        try stream.add(0..<3)
        #expect(eventually { receiver.taken.count >= 2 && sinks.statuses[0].deadLetters == 1 })
        // Nobody writes the store: the letter waits, and so do the entries that came with it.
        sleep(until: .after(.milliseconds(200)))
        #expect(try stream.pending() != "0")
        #expect(try harness.wait { (try? stream.pending()) == "0" })
        #expect(try harness.deadLetters().count == 1)
    }

    @Test func `frames are taken apart, and unreadable entries are counted`() throws {
        let receiver = try Receiver()
        var wanted = stream.options(receiver)
        wanted.filter = SinkFilter(["keep.*"])
        let sinks = stream.node("a", wanted)
        defer { stream.stop(sinks) }
        var payload = ByteBuffer()
        for number in 0..<30 {
            let held = (
                Bytes("e\(number)"), Bytes(number % 3 == 0 ? "drop" : "keep.it"), Bytes("/s")
            )
            defer { withExtendedLifetime(held) {} }
            payload.append(
                event: EventRow(
                    identity: .client(held.0.span), time: 1_431_857_100_000, type: held.1.span,
                    source: held.2.span, subject: nil, data: nil, extensions: nil))
        }
        let frame = gzipCompress(payload.span)
        var pipeline = RedisPipeline()
        pipeline.begin("XADD", argumentCount: 6)
        pipeline.add("millrace:{0}:events")
        pipeline.add("*")
        pipeline.add("frame")
        pipeline.add(frame.span)
        pipeline.add("count")
        pipeline.add("30")
        pipeline.command("XADD", "millrace:{0}:events", "*", "frame", "garbage")
        pipeline.command("XADD", "millrace:{0}:events", "*", "other", "field")
        _ = try stream.run(pipeline)
        try stream.add(30..<31, type: "keep.last")
        #expect(try harness.wait { receiver.taken.count >= 21 })
        #expect(
            receiver.taken
                == names(0..<31).enumerated().filter { $0.offset % 3 != 0 || $0.offset == 30 }.map(
                    \.element))
        #expect(sinks.statuses[0].lost == 2)
        #expect(try harness.wait { (try? stream.pending()) == "0" })
    }
}
