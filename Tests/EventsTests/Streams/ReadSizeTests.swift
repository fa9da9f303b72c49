import Primitives
import Redis
import TestSupport
import Testing

@testable import Sinks
@testable import Streams

/// How much a lane asks for, and for how long it waits.
@Suite(.blocking) struct ReadSizeTests {
    @Test func `reads shrink to one entry and wait longer, and grow back with what is answered`() {
        var size = ReadSize(answerLimit: .seconds(1))
        for _ in 0..<6 { size.failed(.timeout, asked: 100) }
        #expect(size.count == 1 && size.answerLimit == .seconds(8))
        size.failed(.breakerOpen, asked: 1)
        #expect(size.answerLimit == .seconds(8))
        // Slow as it is, it needs its time.
        size.succeeded(asked: 1, entries: 1, bytes: 1000, upTo: 100, after: .seconds(5))
        #expect(size.count == 2 && size.answerLimit == .seconds(8))
        for _ in 0..<9 {
            let asked = min(size.count, 100)
            size.succeeded(asked: asked, entries: asked, bytes: 9, upTo: 100, after: .zero)
        }
        #expect(size.count == 100 && size.answerLimit == .seconds(1))
        size.succeeded(asked: 100, entries: 40, bytes: 16 << 20, upTo: 100, after: .zero)
        #expect(size.count == 10)
    }

    @Test func `a store waits longer only for a single entry, and asks all partitions for a share`()
    {
        var size = ReadSize(answerLimit: .milliseconds(300), isHasty: true)
        size.failed(.timeout, asked: 200)
        #expect(size.count == 50 && size.answerLimit == .milliseconds(300))
        size.failed(.timeout, asked: 1)
        #expect(size.count == 1 && size.answerLimit == .milliseconds(600))
        // Of four partitions a hundred came, of 16 MiB: the next read should bring a quarter.
        size.succeeded(
            asked: 100, entries: 100, of: 4, bytes: 16 << 20, upTo: 2000, after: .zero)
        #expect(size.count == 6)
        // Where the way is long, few entries take as long as many.
        size.succeeded(asked: 6, entries: 6, bytes: 9, upTo: 2000, after: .milliseconds(60))
        #expect(size.count == 12)
        for _ in 0..<9 {
            size.succeeded(
                asked: size.count, entries: size.count, bytes: 9, upTo: 2000,
                after: .milliseconds(60))
        }
        #expect(size.count == 200)
    }

    @Test func `a batch that is too large to be answered arrives in smaller ones`() throws {
        let stream = try SinkStreamHarness()
        let proxy = try FaultProxy(to: stream.server.port, .cutLarge(30_000))
        defer { proxy.stop() }
        let receiver = try Receiver()
        try stream.add(0..<40, padding: 20_000)
        let sinks = stream.node(
            "a", stream.options(receiver, batchSize: 100), url: SinkStreamHarness.url(of: proxy))
        defer { stream.stop(sinks) }
        #expect(
            try stream.store.wait(until: { receiver.taken.count >= 40 }, within: .seconds(40)))
        #expect(receiver.taken == names(0..<40))
        #expect(sinks.statuses[0].redelivered > 0)
        #expect(try stream.store.wait { (try? stream.pending()) == "0" })
    }

    @Test func `an entry that takes longer than a second to arrive is waited for`() throws {
        let stream = try SinkStreamHarness()
        // A byte at a time: an entry of 12 kB takes more than a second, a short answer a moment.
        let proxy = try FaultProxy(to: stream.server.port, .trickle(.microseconds(100)))
        defer { proxy.stop() }
        let receiver = try Receiver()
        try stream.add(0..<3, padding: 12_000)
        let sinks = stream.node(
            "a", stream.options(receiver), url: SinkStreamHarness.url(of: proxy))
        defer { stream.stop(sinks) }
        #expect(
            try stream.store.wait(until: { receiver.taken.count >= 3 }, within: .seconds(60)))
        #expect(receiver.taken == names(0..<3))
    }

    @Test func `what lies beyond four MiB of a read waits for the next`() throws {
        let stream = try SinkStreamHarness()
        let receiver = try Receiver()
        var options = stream.options(receiver, batchSize: 100)
        options.filter = SinkFilter(["t"])
        let (source, redis) = stream.source(options)
        defer { redis.close() }
        try stream.add(0..<20, padding: 1 << 20)
        var counts: [Int] = []
        var ids = 0
        while ids < 20 {
            let batch = try #require(try source.next(0, until: .after(.seconds(5))))
            #expect(batch.run.byteCount < 6 << 20)
            counts.append(batch.entries.count)
            for index in 0..<batch.run.count {
                #expect(
                    String(decoding: batch.run[index].prefix(60), as: UTF8.self)
                        .contains(#""id":"e\#(ids)""#))
                ids += 1
            }
            #expect(try source.settle(batch, dead: [], until: .after(.seconds(5))))
        }
        #expect(counts.allSatisfy { (1...4).contains($0) }, "\(counts)")
        #expect(try stream.pending() == "0")
    }
}
