import Primitives
import Redis
import Storage
import TestSupport
import Testing

@testable import Sinks

/// Entries that were delivered before, and what becomes of those that never come through.
@Suite(.blocking) struct SinkRedeliveryTests {
    private let stream: SinkStreamHarness

    init() throws { stream = try SinkStreamHarness() }

    @Test func `an entry that was delivered more than five times goes out by itself`() throws {
        let receiver = try Receiver()
        try stream.makeGroup()
        let entries = try stream.add(0..<7)
        try stream.deliver(entries, to: "a", times: 5)
        try stream.deliver([entries[3]], to: "a", times: 6)
        let sinks = stream.node("a", stream.options(receiver))
        defer { stream.stop(sinks) }
        #expect(try stream.store.wait { receiver.taken.count >= 7 })
        #expect(
            receiver.deliveries.map(\.ids)
                == [names(0..<3), names(3..<4), names(4..<7)])
        #expect(sinks.statuses[0].redelivered == 7)
        #expect(sinks.statuses[0].deadLetters == 0)
    }

    @Test func `an entry that was delivered more than twenty times is a dead letter, unsent`()
        throws
    {
        let (receiver, lines) = (try Receiver(), LogLines())
        try stream.makeGroup()
        let entries = try stream.add(0..<3)
        try stream.deliver(entries, to: "gone", times: 1)
        try stream.deliver([entries[1]], to: "gone", times: 21)
        // Of another node, so that it is claimed first.
        var patient = stream.options(receiver)
        patient.timeout = .milliseconds(100)
        let sinks = stream.node(
            "a", patient, claimAfter: .milliseconds(100), log: lines.log)
        defer { stream.stop(sinks) }
        #expect(try stream.store.wait { (try? stream.pending()) == "0" })
        #expect(receiver.taken == ["e0", "e2"])
        let letter = try #require(stream.store.deadLetters().first)
        #expect(letter.status == DeadLetterEntry.neverRefused && letter.refusals == 0)
        #expect(letter.event.text.contains(#""id":"e1""#))
        #expect(sinks.statuses[0].deadLetters == 1)
        #expect(
            eventually { !lines.all("gives up", entries[1], SinkStreamHarness.key()).isEmpty })
    }

    @Test func `an entry that ends the process even unsent is set aside as it is`() throws {
        let receiver = try Receiver()
        try stream.makeGroup()
        let entries = try stream.add(0..<2)
        try stream.deliver(entries, to: "a", times: 26)
        try stream.deliver([entries[1]], to: "a", times: 1)
        let sinks = stream.node("a", stream.options(receiver))
        defer { stream.stop(sinks) }
        #expect(try stream.store.wait { (try? stream.pending()) == "0" })
        #expect(receiver.taken == ["e1"])
        let kept = try stream.store.quarantine()
        #expect(kept.map(\.code) == ["given_up"])
        #expect(kept.first?.streamEntry == "\(SinkStreamHarness.key()) \(entries[0])")
        #expect(kept.first?.detail.contains("did not reach the sink") == true)
        #expect(kept.first?.rawBytes ?? 0 > 0)
        #expect(sinks.statuses[0].lost == 1)
    }

    @Test func `what is set aside is acknowledged once the store has it, whatever its size`() throws
    {
        let receiver = try Receiver()
        try stream.makeGroup()
        let large = try stream.add(0..<1, padding: 9 << 20)
        let frame = try stream.addFrame(1..<3)
        try stream.deliver(large + [frame], to: "a", times: 26)
        let (source, redis) = stream.source(stream.options(receiver))
        defer { redis.close() }
        for (entry, type) in [
            (large[0], "application/cloudevents+json"), (frame, "application/gzip"),
        ] {
            let before = try stream.pendingEntries().count
            let batch = try #require(try source.next(0, until: .after(.seconds(5))))
            #expect(batch.run.isEmpty)
            #expect(try !source.settle(batch, dead: [], until: .after(.milliseconds(100))))
            #expect(try stream.pendingEntries().count == before)
            // As the lane does: again until it holds.
            #expect(
                try stream.store.wait {
                    (try? source.settle(batch, dead: [], until: .after(.milliseconds(1)))) == true
                })
            #expect(try stream.pendingEntries().count == before - 1)
            let kept = try #require(try stream.store.quarantine().first)
            #expect(kept.contentType == type && kept.streamEntry?.hasSuffix(entry) == true)
        }
        #expect(try stream.store.quarantine().count == 2)
    }

    @Test func `restarts while a receiver is away make no dead letter`() throws {
        let receiver = try Receiver { _, _ in .status(503) }
        try stream.add(0..<4)
        for _ in 0..<25 {
            let before = receiver.requestCount
            let sinks = stream.node("a", stream.options(receiver))
            defer { stream.stop(sinks) }
            try #require(eventually { receiver.requestCount > before })
            // The attempt came back, and Redis is told.
            let isSetBack = eventually {
                guard let counts = try? stream.pendingEntries() else { return false }
                return !counts.isEmpty && counts.allSatisfy { $0 == 1 }
            }
            try #require(isSetBack)
        }
        receiver.obey { _, _ in .status(200) }
        let sinks = stream.node("a", stream.options(receiver))
        defer { stream.stop(sinks) }
        #expect(try stream.store.wait { receiver.taken.count >= 4 })
        #expect(receiver.taken == names(0..<4))
        #expect(try stream.store.deadLetters().isEmpty)
    }

    @Test func `answers that were lost, to one process after another, count against nothing`()
        throws
    {
        let proxy = try FaultProxy(to: stream.server.port, .cutLarge(30_000))
        defer { proxy.stop() }
        let receiver = try Receiver()
        try stream.makeGroup()
        try stream.deliver(try stream.add(0..<1, padding: 50_000), to: "a", times: 1)
        for _ in 0..<25 {
            let (source, redis) = stream.source(
                stream.options(receiver), url: SinkStreamHarness.url(of: proxy))
            defer { redis.close() }
            #expect(throws: SinkSourceError.self) {
                try source.next(0, until: .after(.milliseconds(100)))
            }
        }
        #expect(try stream.pendingEntries() == [1])
        let sinks = stream.node("a", stream.options(receiver))
        defer { stream.stop(sinks) }
        #expect(try stream.store.wait { receiver.taken == names(0..<1) })
        #expect(try stream.store.deadLetters().isEmpty)
    }

    @Test func `tries within one process are no deliveries`() throws {
        let receiver = try Receiver { _, _ in .status(500) }
        let sinks = stream.node("a", stream.options(receiver))
        defer { stream.stop(sinks) }
        try stream.add(0..<4)
        #expect(eventually { receiver.requestCount > 3 })
        #expect(try stream.pendingEntries().allSatisfy { $0 == 1 })
    }
}
