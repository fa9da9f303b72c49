import Primitives
import TestSupport
import Testing

@testable import Storage
@testable import Sinks

@Suite(.blocking) struct SinkDeadLetterTests {
    private func options(_ receiver: Receiver, batchSize: Int = 64) -> SinkOptions {
        var options = SinkOptions(name: "audit", url: receiver.url)
        options.batchSize = batchSize
        return options
    }

    @Test(arguments: [400, 422])
    func `a refused event becomes a dead letter and the others of its batch arrive`(
        status: Int
    ) throws {
        let receiver = try Receiver { ids, _ in
            ids.contains("e37") ? .status(status) : .status(200)
        }
        let lines = LogLines()
        let harness = try SinkHarness([options(receiver)], log: lines.log)
        try harness.store(0..<64)
        try harness.store(64..<70)
        #expect(try harness.wait { receiver.taken.count >= 69 })
        #expect(receiver.taken == names(0..<37) + names(38..<70))
        #expect(try harness.wait { (try? harness.deadLetters().count) == 1 })
        let letter = try #require(harness.deadLetters().first)
        #expect(letter.sink == "audit" && letter.status == status && letter.refusals == 5)
        #expect(letter.event.text.contains(#""id":"e37""#))
        // Five tries of all, one of each half that is cut again, five of the event alone.
        let refusals = receiver.deliveries.filter { $0.status == status }
        #expect(refusals.filter { $0.ids == ["e37"] }.count == 5)
        #expect(refusals.count == 5 + 5 + 5)
        #expect(harness.status.deadLetters == 1)
        #expect(eventually { lines.all("dead letter", #""id":"e37""#).count == 1 })
        #expect(harness.status.breaker.mode == .closed)
    }

    @Test func `a batch that is too large for the receiver is cut at once`() throws {
        let receiver = try Receiver { ids, _ in ids.count > 8 ? .status(413) : .status(200) }
        let harness = try SinkHarness([options(receiver)])
        try harness.store(0..<64)
        #expect(try harness.wait { receiver.taken.count >= 64 })
        #expect(receiver.taken == names(0..<64))
        #expect(receiver.deliveries.count == 8 + 7)
        #expect(try harness.deadLetters().isEmpty)
    }

    @Test func `dead letters and the position behind them survive a restart`() throws {
        let receiver = try Receiver { ids, _ in ids == ["e0"] ? .status(400) : .status(200) }
        let harness = try SinkHarness([options(receiver, batchSize: 1)])
        try harness.store(0..<2)
        #expect(try harness.wait { receiver.taken == ["e1"] && harness.status.lag == 0 })
        try harness.restart()
        try harness.store(2..<3)
        #expect(try harness.wait { receiver.taken.count >= 2 })
        #expect(receiver.taken == ["e1", "e2"])
        #expect(try harness.deadLetters().map(\.status) == [400])
    }

    @Test func `a replay delivers what is taken now and keeps what is not`() throws {
        let receiver = try Receiver { ids, _ in
            ids.count == 1 && Int(ids[0].dropFirst()).map { $0 < 3 } == true
                ? .status(400) : .status(200)
        }
        let harness = try SinkHarness([options(receiver, batchSize: 1)])
        try harness.store(0..<5)
        #expect(try harness.wait(until: { harness.status.lag == 0 }, within: .seconds(60)))
        #expect(try harness.wait { (try? harness.deadLetters().count) == 3 })
        receiver.obey { ids, _ in ids.contains("e1") ? .status(400) : .status(200) }
        let replay = try harness.replay("audit")
        #expect(replay.delivered == 2 && replay.refused == 1 && replay.isComplete)
        #expect(receiver.taken == ["e3", "e4", "e0", "e2"])
        let waiting = try harness.deadLetters().filter { $0.replayed == nil }
        #expect(waiting.count == 1 && waiting[0].event.text.contains("e1"))
        let again = try harness.replay("audit")
        #expect(again.delivered == 0 && again.refused == 1 && again.isComplete)
    }

    @Test func `a replay passes over what an erasure has still to delete`() throws {
        let receiver = try Receiver { _, _ in .status(400) }
        let harness = try SinkHarness([options(receiver, batchSize: 1)])
        try harness.store(0..<1, type: "old")
        try harness.store(1..<2)
        #expect(try harness.wait { (try? harness.deadLetters().count) == 2 })
        // It has begun, and no row has been looked at.
        harness.store.erasures.add(
            Erasure(
                id: "e", requested: 1, node: "n", conditions: "type",
                matcher: ErasureMatcher(EventFilter(types: ["old"]))))
        receiver.obey { _, _ in .status(200) }
        let replay = try harness.replay("audit")
        #expect(replay.delivered == 1 && replay.refused == 0 && replay.isComplete)
        #expect(receiver.taken == ["e1"])
    }

    @Test func `a replay to a receiver that is away says why and changes nothing`() throws {
        let receiver = try Receiver { _, _ in .status(400) }
        let harness = try SinkHarness([options(receiver)])
        try harness.store(0..<1)
        #expect(try harness.wait { (try? harness.deadLetters().count) == 1 })
        receiver.obey { _, _ in .status(500) }
        let replay = try harness.replay("audit")
        #expect(replay.delivered == 0 && replay.refused == 0 && !replay.isComplete)
        #expect(replay.failure == "HTTP status 500")
        #expect(try harness.deadLetters().allSatisfy { $0.replayed == nil })
        #expect(throws: SinkReplayError.self) {
            try harness.replay("other")
        }
    }
}
