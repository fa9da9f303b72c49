import Primitives
import TestSupport
import Testing

@testable import Storage

@Suite struct StoreInboxTests {
    private func writer(_ folder: TemporaryDirectory) throws -> (EventStore, StoreWriter) {
        let store = try openStore(folder)
        return (store, try store.writer())
    }

    @Test func `carries changes out in order and all at once`() throws {
        let folder = try TemporaryDirectory()
        let (_, writer) = try writer(folder)
        let inbox = StoreInbox<Int>(roomLimits: [1000])
        let tickets = (1...3).map { inbox.submit($0, costBytes: 10) }
        #expect(tickets == [1, 2, 3])
        var seen: [[Int]] = []
        try inbox.drain(writer) { (changes, _) throws(StorageError) in seen.append(changes) }
        try inbox.drain(writer) { (changes, _) throws(StorageError) in seen.append(changes) }
        #expect(seen == [[1, 2, 3]])
        #expect(inbox.isEmpty)
        #expect(inbox.submit(4, costBytes: 10) == 4)
    }

    @Test func `what fails stays first in line, and its ticket open`() throws {
        let folder = try TemporaryDirectory()
        let (_, writer) = try writer(folder)
        let inbox = StoreInbox<Int>(roomLimits: [1000])
        let ticket = try #require(inbox.submit(1, costBytes: 10))
        #expect(throws: StorageError.self) {
            try inbox.drain(writer) { (_, _) throws(StorageError) in
                _ = inbox.submit(2, costBytes: 10)
                throw StorageError(.full, "the test stops here")
            }
        }
        #expect(!inbox.waitUntilWritten(ticket, deadline: .after(.milliseconds(1))))
        var seen: [Int] = []
        try inbox.drain(writer) { (changes, _) throws(StorageError) in
            seen += changes
            // Handed over while the transaction runs: for the next one.
            _ = inbox.submit(3, costBytes: 10)
        }
        #expect(seen == [1, 2])
        #expect(inbox.waitUntilWritten(ticket + 1, deadline: soon))
        #expect(!inbox.waitUntilWritten(ticket + 2, deadline: .after(.milliseconds(1))))
        #expect(!inbox.waitUntilDurable(ticket, deadline: .never, isCancelled: { true }))
        inbox.becomeDurable()
        #expect(inbox.waitUntilDurable(ticket + 1, deadline: soon))
    }

    @Test func `bounds each room by itself, what is reserved included`() throws {
        let folder = try TemporaryDirectory()
        let (_, writer) = try writer(folder)
        let inbox = StoreInbox<String>(roomLimits: [100, 100])
        #expect(inbox.reserve(costBytes: 60))
        #expect(!inbox.reserve(costBytes: 60))
        #expect(inbox.submit("other room", costBytes: 60, room: 1) == 1)
        #expect(inbox.submit("no room", costBytes: 60, room: 1) == nil)
        #expect(inbox.submit(reserved: [("held", 60)]) == 2)
        #expect(inbox.reserve(costBytes: 40))
        inbox.release(costBytes: 40)
        try inbox.drain(writer) { (_, _) throws(StorageError) in }
        // One that is larger than its room is taken while that is empty.
        #expect(inbox.submit("large", costBytes: 1000) == 3)
        #expect(inbox.submit("small", costBytes: 1) == nil)
        try inbox.drain(writer) { (_, _) throws(StorageError) in }
        #expect(inbox.submit("small", costBytes: 1) == 4)
    }

    @Test func `tells observers of the last ticket that was written`() throws {
        let folder = try TemporaryDirectory()
        let (_, writer) = try writer(folder)
        let inbox = StoreInbox<Int>(roomLimits: [1000])
        let seen = Locked<[UInt64]>([])
        inbox.onWritten { ticket in seen.withLock { $0.append(ticket) } }
        for number in 1...5 { _ = inbox.submit(number, costBytes: 1) }
        try inbox.drain(writer) { (_, _) throws(StorageError) in }
        _ = inbox.submit(6, costBytes: 1)
        try inbox.drain(writer) { (_, _) throws(StorageError) in }
        #expect(seen.withLock { $0 } == [5, 6])
    }
}
