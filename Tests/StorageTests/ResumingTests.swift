import Primitives
import TestSupport
import Testing

@testable import Storage

/// Two stores that have the same events in different orders, as two nodes do.
@Suite struct ResumingTests {
    private static let base = (0..<50).map { index in
        TestEvent(id: "e\(index)", time: start + Int64(index) * 1000)
    }

    private let folders: [TemporaryDirectory]
    private let stores: [EventStore]

    init() throws {
        folders = [try TemporaryDirectory(), try TemporaryDirectory()]
        stores = try folders.map { try openStore($0) }
    }

    private func all(_ store: EventStore, after seq: Int64) throws -> [StoredEvent] {
        try store.events(after: seq, limit: 1000, deadline: soon).events
    }

    /// The place of an event in a store, as it went over the wire.
    private func place(_ id: String, in store: EventStore) throws -> TailPlace {
        let event = try #require(try all(store, after: 0).first { $0.id == id })
        let place = store.place(after: event.seq, event: event)
        let text = place.text
        #expect(TailPlace(text: text) == place)
        return try #require(TailPlace(text: text))
    }

    @Test func `a place of the same store is where it was, also when its event is gone`() throws {
        try stores[0].write(Self.base)
        let place = try place("e20", in: stores[0])
        #expect(
            try stores[0].resume(after: place, deadline: soon)
                == TailStart(kind: .same, seq: place.seq, overlap: 0))
        let bare = stores[0].place(after: 7)
        #expect(TailPlace(text: bare.text) == bare)
        #expect(try stores[0].resume(after: bare, deadline: soon).seq == 7)
    }

    @Test func `in another store nothing is missing that moved by less than five seconds`() throws {
        try stores[0].write(Self.base)
        // Each event changes places with its neighbour.
        var other = Self.base
        for index in stride(from: 0, to: 50, by: 2) { other.swapAt(index, index + 1) }
        try stores[1].write([TestEvent(id: "only here", time: start - 60_000)] + other)
        for number in [1, 20, 21, 48, 49] {
            let place = try place("e\(number)", in: stores[0])
            let begun = try stores[1].resume(after: place, deadline: soon)
            #expect(begun.kind == .found)
            let ids = Set(try all(stores[1], after: begun.seq).map(\.id))
            for later in number + 1..<max(50, number + 1) { #expect(ids.contains("e\(later)")) }
            #expect(begun.overlap <= 6, "\(number) goes back by \(begun.overlap)")
        }
    }

    @Test func `what another store does not have is lost, and the tail goes on at its time`() throws
    {
        try stores[0].write(Self.base)
        try stores[1].write(Self.base.filter { $0.id != "e20" })
        let place = try place("e20", in: stores[0])
        let begun = try stores[1].resume(after: place, deadline: soon)
        #expect(begun.kind == .lost)
        #expect(place.time == start + 20_000)
        #expect(try all(stores[1], after: begun.seq).first?.id == "e16")
        // A new store has nothing of it.
        let directory = try TemporaryDirectory()
        try withExtendedLifetime(directory) {
            let fresh = try openStore(directory)
            #expect(
                try fresh.resume(after: place, deadline: soon)
                    == TailStart(kind: .lost, seq: 0, overlap: 0))
        }
    }

    @Test func `a number that earlier versions gave out is lost`() throws {
        try stores[0].write(Self.base)
        let place = try #require(TailPlace(text: "3"))
        #expect(
            try stores[0].resume(after: place, deadline: soon)
                == TailStart(kind: .lost, seq: 50, overlap: 0))
    }

    @Test func `a store that came back from a copy does not take other events for the same`() throws
    {
        try stores[0].write(Self.base)
        let event = try #require(try all(stores[0], after: 9).first)
        let other = TailPlace(
            store: stores[0].identity, seq: event.seq,
            event: TailPlace.EventMark(time: event.time, source: "/test", id: "another"))
        #expect(try stores[0].resume(after: other, deadline: soon).kind == .lost)
        let beyond = TailPlace(store: stores[0].identity, seq: 1000, event: nil)
        #expect(try stores[0].resume(after: beyond, deadline: soon).kind == .lost)
    }

    @Test func `stores differ in their identity and keep it`() throws {
        #expect(stores[0].identity != stores[1].identity)
        let identity = stores[0].identity
        stores[0].close(deadline: soon)
        #expect(try openStore(folders[0]).identity == identity)
    }

    @Test(arguments: [1, 2, 7])
    func `pages go on in another store with nothing missing`(limit: Int) throws {
        // Pairs in the same millisecond, which the other store has the other way round.
        let events = (0..<40).map { TestEvent(id: "e\($0)", time: start + Int64($0 / 2)) }
        try stores[0].write(events)
        try stores[1].write(events.reversed())
        var seen: Set<String> = []
        var cursor: EventCursor?
        var pages = 0
        repeat {
            let store = stores[pages % 2]
            let page = try store.events(
                EventFilter(), before: cursor, limit: limit, deadline: soon)
            seen.formUnion(page.events.map(\.id))
            // What the route refuses with `foreign_cursor`.
            if let cursor, !store.gaveOut(cursor), let next = page.next, !next.isBelow(cursor) {
                #expect(limit < 3)
                return
            }
            cursor = page.next
            pages += 1
        } while cursor != nil && pages < 100
        #expect(seen.count == 40)
    }
}
