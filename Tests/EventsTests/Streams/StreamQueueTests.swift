import Primitives
import Storage
import Telemetry
import TestSupport
import Testing

@testable import EventCoding
@testable import Journal
@testable import Streams

/// What is read and waits: for the writer, or to be acknowledged.
@Suite(.blocking) struct StreamQueueTests {
    private let directory: TemporaryDirectory
    private let journal: Journal
    private let store: EventStore
    private let queue: StreamQueue

    init() throws {
        directory = try TemporaryDirectory()
        journal = try Journal(
            options: JournalOptions(directory: directory.file("journal")), log: .silent)
        store = try EventStore(path: directory.file("store.db"), now: 1, log: .silent)
        queue = StreamQueue(partitions: 1, journal: journal, store: store)
    }

    /// A batch of so many skipped entries of the records up to `sequence`.
    private func batch(_ count: Int, upTo sequence: UInt64) -> StreamBatch {
        let batch = queue.take()
        for number in 0..<count {
            batch.add(StreamEntryID(milliseconds: sequence, number: UInt64(number)), of: 0)
        }
        batch.skip(sequence)
        return batch
    }

    private var hasRoom: Bool { queue.waitForRoom(until: .after(.zero)) }

    private func takeStored() -> Int {
        queue.takeStored().entries.reduce(0) { $0 + $1.count }
    }

    @Test func `skipped entries wait for the store, and not too many of them`() throws {
        defer { journal.close() }
        for sequence in 1...16 as ClosedRange<UInt64> {
            queue.hold(batch(2000, upTo: sequence))
            #expect(hasRoom)
        }
        queue.hold(batch(2000, upTo: 17))
        #expect(!hasRoom && takeStored() == 0)
        #expect(!queue.waitUntilStored(until: .after(.zero)))
        try store.write(position: 10) { _ in }
        #expect(takeStored() == 20_000 && hasRoom)
        try store.write(position: 17) { _ in }
        #expect(takeStored() == 14_000)
        #expect(queue.waitUntilStored(until: .after(.zero)))
    }

    @Test func `what came for one record after another is acknowledged together`() throws {
        defer { journal.close() }
        for sequence in 1...3000 as ClosedRange<UInt64> { queue.hold(batch(1, upTo: sequence)) }
        try store.write(position: 2000) { _ in }
        #expect(takeStored() == 0)
        try store.write(position: 2048) { _ in }
        #expect(queue.takeStored().entries.map(\.count) == [2048])
        try store.write(position: 3000) { _ in }
        #expect(takeStored() == 952)
    }

    @Test func `a journal that lost a record vouches for nothing that was skipped before`() throws {
        defer { journal.close() }
        queue.hold(batch(3, upTo: 7))
        let other = queue.take()
        other.add(StreamEntryID(milliseconds: 9, number: 0), of: 0)
        queue.stored(other)
        journal.renewIdentity(above: 0)
        try store.write(position: 7) { _ in }
        let stored = queue.takeStored()
        #expect(stored.hasForgotten)
        // Those two wait together, so the other is read again too.
        #expect(stored.entries.isEmpty)
        queue.hold(batch(3, upTo: 7))
        let again = queue.takeStored()
        #expect(!again.hasForgotten && again.entries.map(\.count) == [3])
    }
}
