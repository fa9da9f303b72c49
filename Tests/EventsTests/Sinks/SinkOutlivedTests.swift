import Redis
import Storage
import TestSupport
import Testing

@testable import Journal

/// Tries that say nothing against an entry that was delivered before: their count is set back.
@Suite(.blocking) struct SinkOutlivedTests {
    private let stream: SinkStreamHarness

    init() throws { stream = try SinkStreamHarness() }

    private func counts(become expected: [Int64]) -> Bool {
        eventually { (try? stream.pendingEntries()) == expected }
    }

    @Test func `an entry whose first events arrived, and that takes longer than the process lives`()
        throws
    {
        let receiver = try Receiver { _, number in number == 0 ? .status(200) : .hang }
        try stream.makeGroup()
        try stream.deliver([try stream.addFrame(0..<30)], to: "a", times: 4)
        var options = stream.options(receiver)
        options.timeout = .seconds(600)
        let sinks = stream.node("a", options)
        defer { stream.stop(sinks) }
        #expect(eventually { receiver.requestCount == 2 })
        #expect(counts(become: [1]))
    }

    @Test func `what no attempt carried yet may still be what ends the process`() throws {
        let receiver = try Receiver { _, _ in .status(503) }
        try stream.makeGroup()
        let frames = try [stream.addFrame(0..<10), stream.addFrame(10..<20)]
        try stream.deliver(frames, to: "a", times: 3)
        let sinks = stream.node("a", stream.options(receiver))
        defer { stream.stop(sinks) }
        #expect(counts(become: [1, 4]))
    }

    @Test func `an orderly stop before the receiver answered`() throws {
        let receiver = try Receiver { _, _ in .hang }
        try stream.makeGroup()
        try stream.deliver(try stream.add(0..<4), to: "a", times: 4)
        var options = stream.options(receiver)
        options.timeout = .seconds(600)
        let sinks = stream.node("a", options)
        #expect(eventually { receiver.requestCount == 1 })
        #expect(try stream.pendingEntries() == [5, 5, 5, 5])
        stream.stop(sinks)
        #expect(try stream.pendingEntries() == [1, 1, 1, 1])
    }

    @Test func `an orderly stop before an entry is set aside changes nothing`() throws {
        let receiver = try Receiver()
        try stream.makeGroup()
        let entries = try stream.add(0..<1)
        for times in [21, 26] {
            try stream.deliver(entries, to: "a", times: times)
            let sinks = stream.node("a", stream.options(receiver))
            // Nobody does the writer's work, so what is given up is not kept yet.
            #expect(eventually { sinks.statuses[0].redelivered == 1 })
            stream.stop(sinks)
            #expect(try stream.pendingEntries().allSatisfy { $0 >= times })
        }
        #expect(receiver.requestCount == 0)
    }
}
