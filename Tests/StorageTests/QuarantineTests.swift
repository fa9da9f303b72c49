import Primitives
import TestSupport
import Testing

@testable import Storage

@Suite(.blocking) struct QuarantineTests {
    private func entry(_ number: Int, bytes: Int = 10) -> QuarantineEntry {
        QuarantineEntry(
            received: start + Int64(number), code: "missing_type", detail: "event \(number)",
            contentType: "application/json", raw: Bytes([UInt8](repeating: 65, count: bytes)),
            preview: "{…}")
    }

    @Test func `lists what was refused, newest first, page by page, and never the raw bytes`()
        throws
    {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        for number in 1...5 { #expect(store.quarantine.add(entry(number))) }
        #expect(try store.quarantined(limit: 10, deadline: soon).isEmpty)
        try store.maintain(now: at, isIdle: true)
        let first = try store.quarantined(limit: 2, deadline: soon)
        #expect(first.map(\.detail) == ["event 5", "event 4"])
        #expect(first.first?.rawBytes == 10)
        let rest = try store.quarantined(before: first.last?.seq, limit: 9, deadline: soon)
        #expect(rest.map(\.detail) == ["event 3", "event 2", "event 1"])
        #expect(store.status.quarantined == 5)
    }

    @Test func `hands out raw bytes for another try, and remembers which have succeeded`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        for number in 1...4 { store.quarantine.add(entry(number, bytes: number * 100)) }
        try store.maintain(now: at, isIdle: true)
        let raw = try store.quarantinedRaw(limit: 10, byteLimit: 350, deadline: soon)
        #expect(raw.map(\.raw.count) == [100, 200])
        #expect(raw.first?.contentType == "application/json")
        store.quarantine.markReplayed(raw.map(\.seq), at: start + 99)
        store.quarantine.delete([4, 77])
        try store.maintain(now: at, isIdle: true)
        #expect(try store.quarantinedRaw(limit: 10, deadline: soon).map(\.raw.count) == [300])
        #expect(
            try store.quarantinedRaw(limit: 10, byteLimit: 1, deadline: soon).map(\.raw.count)
                == [300])
        let listed = try store.quarantined(limit: 10, deadline: soon)
        #expect(listed.map(\.replayed) == [nil, start + 99, start + 99])
        #expect(store.status.quarantined == 3)
    }

    @Test func `keeps what came in an entry of a stream once for each reason`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        var first = entry(1)
        first.streamEntry = "millrace:{0}:events 1-0"
        var (otherEntry, otherReason, otherBytes) = (first, first, first)
        otherEntry.streamEntry = "millrace:{0}:events 1-1"
        otherReason.code = "given_up"
        otherBytes.raw = Bytes([66])
        // By HTTP the same may come twice, and is kept twice.
        let all = [first, otherEntry, otherReason, otherBytes, entry(1), entry(1)]
        for entry in all + all.prefix(4) { #expect(store.quarantine.add(entry)) }
        try store.maintain(now: at, isIdle: true)
        for entry in all.prefix(4) { #expect(store.quarantine.settle(entry) != nil) }
        try store.maintain(now: at, isIdle: true)
        let kept = try store.quarantined(limit: 99, deadline: soon)
        #expect(kept.reversed().map(\.streamEntry) == all.map(\.streamEntry))
        #expect(store.status.quarantined == 6)
        store.close(deadline: soon)
        #expect(try IntegrityReport(path: folder.database).problems.isEmpty)
    }

    @Test func `keeps to its limits, and counts what went`() throws {
        let folder = try TemporaryDirectory()
        var options = EventStoreOptions()
        options.quarantine = QuarantineLimits(rows: 10, bytes: 5000)
        let store = try openStore(folder, options: options)
        for number in 1...30 { store.quarantine.add(entry(number)) }
        try store.maintain(now: at, isIdle: true)
        #expect(store.status.quarantined == 10)
        #expect(store.status.quarantineTrimmed == 20)
        #expect(try store.quarantined(limit: 99, deadline: soon).last?.detail == "event 21")
        store.quarantine.add(entry(31, bytes: 4950))
        try store.maintain(now: at, isIdle: true)
        #expect(store.status.quarantined == 6)
        store.quarantine.add(entry(32, bytes: 6000))
        try store.maintain(now: at, isIdle: true)
        #expect(store.status.quarantined == 0)
        store.close(deadline: soon)
        #expect(try IntegrityReport(path: folder.database).problems.isEmpty)
    }

    @Test func `tells when what was added is in the store, and nothing of what was let go`() throws
    {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        let kept = Monitor<UInt64>(0)
        store.quarantine.onKept { number in kept.change { $0 = number } }
        let entries = (0..<3).map { entry($0) }
        for entry in entries { #expect(store.quarantine.hold(entry)) }
        #expect(store.quarantine.isEmpty)
        store.quarantine.letGo([entries[2]])
        let number = store.quarantine.add(held: Array(entries[..<2]))
        #expect(kept.withLock { $0 } < number)
        try store.maintain(now: at, isIdle: true)
        #expect(kept.withLock { $0 } == number)
        #expect(store.status.quarantined == 2)
    }

    @Test func `takes a flood at a bounded rate`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        let start = MonotonicTime.now()
        var taken = 0
        while taken < 1000, MonotonicTime.now().since(start) < .milliseconds(500) {
            for _ in 0..<8 where store.quarantine.add(entry(1, bytes: 1 << 20)) { taken += 1 }
            try store.maintain(now: at, isIdle: true)
        }
        // 8 MiB at once, and 2 MiB a second from then on.
        let seconds = MonotonicTime.now().since(start).inSeconds
        #expect((7...8 + Int(2 * seconds)).contains(taken))
        #expect(store.status.quarantineDropped > 0)
    }

    @Test func `refuses what it cannot hold until the writer comes by`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        let now = MonotonicTime.now()
        var accepted: UInt64 = 0
        for number in 0..<40
        where store.quarantine.add(entry(number, bytes: 1 << 20), at: now) {
            accepted += 1
        }
        #expect(accepted == 7)
        #expect(store.status.quarantineDropped == 40 - accepted)
        try store.maintain(now: at, isIdle: true)
        #expect(store.quarantine.add(entry(99)))
        #expect(store.status.quarantined == 7)
    }

    @Test func `takes one that is larger than all its room when nothing else waits`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        let now = MonotonicTime.now()
        #expect(store.quarantine.add(entry(1, bytes: 16 << 20), at: now))
        // What it took beyond the allowance is owed.
        #expect(!store.quarantine.add(entry(2), at: now))
        let ticket = try #require(store.quarantine.settle(entry(3)))
        #expect(store.quarantine.settle(entry(4, bytes: 16 << 20)) == nil)
        try store.maintain(now: at, isIdle: true)
        #expect(store.quarantine.waitUntilWritten(ticket, deadline: soon))
        #expect(!store.quarantine.add(entry(5), at: now))
        #expect(store.quarantine.settle(entry(6, bytes: 16 << 20)) != nil)
        try store.maintain(now: at, isIdle: true)
        #expect(store.status.quarantined == 3)
        #expect(store.status.quarantineDropped == 2)
    }

    @Test func `clients' bad events do not keep out what was acknowledged`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        let now = MonotonicTime.now()
        while store.quarantine.add(entry(1, bytes: 1 << 20), at: now) {}
        let dropped = store.status.quarantineDropped
        var tickets: [UInt64] = []
        while let ticket = store.quarantine.settle(entry(2, bytes: 1 << 20)) {
            tickets.append(ticket)
        }
        #expect(tickets.count == 7)
        #expect(store.status.quarantineDropped == dropped)
        try store.maintain(now: at, isIdle: true)
        // The allowance of clients is still used up; what is acknowledged has none.
        #expect(!store.quarantine.add(entry(3, bytes: 7 << 20), at: now))
        #expect(store.quarantine.settle(entry(4, bytes: 7 << 20)) != nil)
        try store.maintain(now: at, isIdle: true)
        #expect(store.status.quarantined == 15)
    }

    @Test func `what was acknowledged is durable after a complete checkpoint, not before`() throws {
        let folder = try TemporaryDirectory()
        let store = try openStore(folder)
        let quarantine = store.quarantine
        let ticket = try #require(quarantine.settle(entry(1)))
        let moment = Deadline.after(.milliseconds(1))
        #expect(!quarantine.waitUntilWritten(ticket, deadline: moment))
        try store.maintain(now: at, isIdle: false)
        #expect(quarantine.waitUntilWritten(ticket, deadline: soon))
        #expect(!quarantine.waitUntilDurable(ticket, deadline: moment))
        #expect(!quarantine.waitUntilDurable(ticket, deadline: .never, isCancelled: { true }))
        try store.maintain(now: at + .seconds(3), isIdle: true)
        #expect(quarantine.waitUntilDurable(ticket, deadline: soon))
    }
}
