import Primitives
import Redis
import Storage
import TestSupport
import Testing

@testable import Journal

/// Entries that somebody wrote who is not a node.
@Suite(.blocking) struct SinkFrameTests {
    private let stream: SinkStreamHarness

    init() throws { stream = try SinkStreamHarness() }

    private func append(_ id: String, data: String, type: [UInt8], to payload: inout ByteBuffer) {
        let held = (Bytes(id), Bytes(type), Bytes("/s"), Bytes(data))
        payload.append(
            event: EventRow(
                identity: .client(held.0.span), time: 1_431_857_100_000, type: held.1.span,
                source: held.2.span, subject: nil, data: held.3.span, extensions: nil))
        withExtendedLifetime(held) {}
    }

    @Test(arguments: ["{", "1}", "1},{\"x\":2", "\u{1}", ""])
    func `an event of a frame that is no JSON does not spoil the batch`(data: String) throws {
        let (receiver, lines) = (try Receiver(), LogLines())
        var payload = ByteBuffer()
        append("e0", data: "{}", type: Array("t".utf8), to: &payload)
        append("bad", data: data, type: Array("t".utf8), to: &payload)
        append("e1", data: "{}", type: [0xFF], to: &payload)
        append("e2", data: "[]", type: Array("t".utf8), to: &payload)
        let entry = try stream.add(frame: payload)
        let sinks = stream.node("a", stream.options(receiver), log: lines.log)
        defer { stream.stop(sinks) }
        #expect(try stream.store.wait { receiver.taken.count >= 2 })
        #expect(receiver.taken == ["e0", "e2"])
        _ = try JSONTree.parse(receiver.deliveries[0].text)
        #expect(sinks.statuses[0].lost == 1)
        #expect(
            eventually {
                !lines.all("did not reach a sink", entry, SinkStreamHarness.key()).isEmpty
            })
        // The store's own reader of the stream keeps it: `StreamFrameTests`.
        #expect(try stream.store.quarantine().isEmpty)
    }

    @Test func `a frame that claims more than a node writes is not inflated`() throws {
        let (receiver, lines) = (try Receiver(), LogLines())
        var bomb = ByteBuffer()
        for _ in 0..<22 { bomb.append(contentsOf: [UInt8](repeating: 0x20, count: 1 << 20)) }
        let entry = try stream.add(frame: bomb)
        try stream.add(0..<1)
        let sinks = stream.node("a", stream.options(receiver), log: lines.log)
        defer { stream.stop(sinks) }
        #expect(try stream.store.wait { receiver.taken.count >= 1 })
        #expect(sinks.statuses[0].lost == 1)
        #expect(
            eventually {
                !lines.all("did not reach a sink", entry, "unreadable_frame").isEmpty
            })
    }

    @Test func `an unreadable entry is told of with its stream and its id`() throws {
        let (receiver, lines) = (try Receiver(), LogLines())
        var pipeline = RedisPipeline()
        pipeline.command("XADD", SinkStreamHarness.key(), "*", "other", "field")
        let entry = try stream.run(pipeline)[0]
        let sinks = stream.node("a", stream.options(receiver), log: lines.log)
        defer { stream.stop(sinks) }
        #expect(
            eventually {
                !lines.all(
                    "did not reach a sink", entry, SinkStreamHarness.key(), "unreadable_entry"
                ).isEmpty
            })
        // The store's own reader of the stream keeps it.
        #expect(try stream.store.quarantine().isEmpty)
    }
}
