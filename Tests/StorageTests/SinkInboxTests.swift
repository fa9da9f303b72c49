import Primitives
import Storage
import TestSupport
import Testing

@Suite(.blocking) struct SinkInboxTests {
    private func letter(_ number: Int, sink: String = "a", bytes: Int = 10) -> DeadLetterEntry {
        let padding = String(repeating: "x", count: bytes)
        return DeadLetterEntry(
            sink: sink, time: start, status: 400, refusals: 5,
            event: Bytes(#"{"id":"\#(number)","p":"\#(padding)"}"#))
    }

    @Test func `a sink that is new begins behind what is stored, others go on`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        try store.write([TestEvent(id: "1"), TestEvent(id: "2")])
        #expect(try store.openSinks(["a"]) == ["a": 2])
        _ = store.sinks.settle([], sink: "a", position: 1)
        try store.maintain(now: at, isIdle: true)
        try store.write([TestEvent(id: "3")])
        store.close(deadline: soon)
        let again = try openStore(folder)
        #expect(try again.openSinks(["a", "b"]) == ["a": 1, "b": 3])
        again.close(deadline: soon)
    }

    @Test func `positions alone wait a moment, dead letters do not`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        _ = store.sinks.settle([], sink: "a", position: 1)
        try store.maintain(now: at, isIdle: false)
        #expect(store.sinks.waitUntilWritten(1, deadline: soon))
        let position = try #require(store.sinks.settle([], sink: "a", position: 2))
        try store.maintain(now: at + .milliseconds(10), isIdle: false)
        #expect(!store.sinks.waitUntilWritten(position, deadline: .after(.milliseconds(1))))
        let dead = try #require(store.sinks.settle([letter(1)], sink: "a", position: 3))
        try store.maintain(now: at + .milliseconds(20), isIdle: false)
        #expect(store.sinks.waitUntilWritten(dead, deadline: soon))
        #expect(try store.integer("SELECT position FROM sinks WHERE name = 'a'") == 3)
        #expect(store.status.deadLetters == 1)
    }

    @Test func `a ticket is durable after a complete checkpoint, not before`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        let ticket = try #require(store.sinks.settle([letter(1)], sink: "a", position: nil))
        try store.maintain(now: at, isIdle: false)
        #expect(store.sinks.waitUntilWritten(ticket, deadline: soon))
        #expect(!store.sinks.waitUntilDurable(ticket, deadline: .after(.milliseconds(1))))
        try store.maintain(now: at + .seconds(3), isIdle: true)
        #expect(store.sinks.waitUntilDurable(ticket, deadline: soon))
    }

    @Test func `lists newest first, by sink and page by page`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        for number in 1...5 {
            _ = store.sinks.settle(
                [letter(number, sink: number % 2 == 0 ? "b" : "a")], sink: "a", position: nil)
        }
        try store.maintain(now: at, isIdle: true)
        let all = try store.deadLetters(limit: 10, deadline: soon).letters
        #expect(all.map(\.seq) == [5, 4, 3, 2, 1])
        #expect(all.allSatisfy { $0.status == 400 && $0.refusals == 5 && $0.time == start })
        let page = try store.deadLetters(sink: "a", before: 5, limit: 1, deadline: soon)
        #expect(page.letters.map(\.seq) == [3] && page.next == 3)
        let last = try store.deadLetters(sink: "a", before: 3, limit: 1, deadline: soon)
        #expect(last.letters.map(\.seq) == [1] && last.next == nil)
        store.sinks.markReplayed([3], at: 77)
        try store.maintain(now: at, isIdle: true)
        let waiting = try store.waitingDeadLetters(
            sink: "a", limit: 10, byteLimit: .max, deadline: soon)
        #expect(waiting.map(\.seq) == [1, 5])
        let first = try store.waitingDeadLetters(
            sink: "a", limit: 10, byteLimit: 1, deadline: soon)
        #expect(first.map(\.seq) == [1])
    }

    @Test(arguments: [(250_000, 40, 2), (3 << 20, 5, 3), (5 << 20, 3, 3)])
    func `ends a page before it is too large for memory`(
        bytes: Int, count: Int, pages: Int
    ) throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        for number in 1...count {
            let ticket = store.sinks.settle(
                [letter(number, bytes: bytes)], sink: "a", position: nil)
            #expect(ticket != nil)
            try store.maintain(now: at, isIdle: true)
        }
        var (seqs, next, seen) = ([Int64](), Int64?.none, 0)
        repeat {
            let page = try store.deadLetters(before: next, limit: 1000, deadline: soon)
            #expect(page.letters.reduce(0) { $0 + $1.event.count } <= 8 << 20)
            seqs += page.letters.map(\.seq)
            (next, seen) = (page.next, seen + 1)
        } while next != nil && seen < 100
        #expect(seqs == (1...Int64(count)).reversed())
        #expect(seen == pages)
    }

    @Test func `the oldest dead letters go when there are too many`() throws {
        var options = EventStoreOptions()
        options.deadLetters = DeadLetterLimits(rows: 3, bytes: 1000)
        let folder = try TemporaryDirectory()
        let store = try openStore(folder, options: options)
        _ = store.sinks.settle((1...5).map { letter($0) }, sink: "a", position: nil)
        try store.maintain(now: at, isIdle: true)
        #expect(try store.deadLetters(limit: 10, deadline: soon).letters.map(\.seq) == [5, 4, 3])
        #expect(store.status.deadLettersTrimmed == 2)
        _ = store.sinks.settle([letter(6, bytes: 950)], sink: "a", position: nil)
        try store.maintain(now: at, isIdle: true)
        #expect(try store.deadLetters(limit: 10, deadline: soon).letters.map(\.seq) == [6, 5])
        #expect(store.status.deadLetters == 2)
    }

    @Test func `what does not fit into the inbox is refused, and fits later`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        let large = letter(1, bytes: 5 << 20)
        #expect(store.sinks.settle([large], sink: "a", position: nil) != nil)
        #expect(store.sinks.settle([large], sink: "a", position: nil) == nil)
        try store.maintain(now: at, isIdle: true)
        #expect(store.sinks.settle([large], sink: "a", position: nil) != nil)
    }
}
