import Primitives
import Synchronization
import Telemetry
import TestSupport
import Testing

@testable import Journal

@Suite(.blocking) struct JournalTests {
    @Test func `numbers batches in the order of their submission and serves them so`() throws {
        let directory = try TemporaryDirectory()
        let journal = try open(options(directory))
        defer { journal.close() }
        #expect(journal.commit(["a", "b"]) == .committed(first: 1, last: 2))
        #expect(journal.commit(["c"]) == .committed(first: 3, last: 3))
        #expect(journal.commit([]) == .committed(first: 4, last: 3))
        let reader = JournalReader(journal, from: 1)
        #expect(
            try reader.drain()
                == [
                    ReadRecord(sequence: 1, payload: "a"), ReadRecord(sequence: 2, payload: "b"),
                    ReadRecord(sequence: 3, payload: "c"),
                ])
        #expect(try JournalReader(journal, from: 3).drain().map(\.payload) == ["c"])
        #expect(try JournalReader(journal, from: 4).drain().isEmpty)
    }

    @Test func `goes on behind the last record after a restart`() throws {
        let directory = try TemporaryDirectory()
        var expected: [String] = []
        for round in 0..<5 {
            let journal = try open(options(directory))
            let first = UInt64(expected.count + 1)
            #expect(journal.commit([payload(round)]) == .committed(first: first, last: first))
            expected.append(payload(round))
            #expect(try JournalReader(journal, from: 1).drain().map(\.payload) == expected)
            #expect(journal.status.damage == JournalDamage())
            journal.close()
        }
        #expect(try Journal.checkOnly(directory: options(directory).directory).isSound)
    }

    @Test func `a batch's traces, eight at most, are known by its sequences and not after a start`()
        throws
    {
        let directory = try TemporaryDirectory()
        let outcomes = Outcomes()
        var journal = try open(options(directory))
        for number in 1...20 as ClosedRange<UInt64> {
            let batch = batch(["a", "b"])
            for span in 0..<number {
                batch.traces.add(
                    TraceContext(
                        traceID: Key128(high: 1, low: number), spanID: span + 1, parentID: 0,
                        isSampled: true))
            }
            journal.submit(batch, completion: outcomes.completion)
        }
        #expect(outcomes.wait(20).count == 20)
        let third = journal.traces(of: 6...6)
        #expect(third.all.map(\.traceID.low) == [3, 3, 3] && third.omitted == 0)
        let two = journal.traces(of: 8...9)
        #expect(two.all.map(\.traceID.low) == [4, 4, 4, 4, 5, 5, 5, 5] && two.omitted == 1)
        #expect(journal.traces(of: 40...90).omitted == 12)
        #expect(journal.traces(of: 41...90).isEmpty)
        journal.close()
        journal = try open(options(directory))
        #expect(journal.traces(of: 1...40).isEmpty)
        #expect(try JournalReader(journal, from: 1).drain().count == 40)
        journal.close()
    }

    @Test func `one sync answers all who wait`() throws {
        let directory = try TemporaryDirectory()
        let gate = Monitor(false)
        let syncs = Atomic<Int>(0)
        let faults = JournalFaults(sync: { _ in
            syncs.add(1, ordering: .relaxed)
            _ = gate.wait(until: .after(.seconds(10)), for: { $0 }, then: { _ in })
            return 0
        })
        let journal = try open(options(directory), faults: faults)
        defer { journal.close() }
        let outcomes = Outcomes()
        journal.submit(batch(["first"]), completion: outcomes.completion)
        #expect(eventually { syncs.load(ordering: .relaxed) == 1 })
        for number in 0..<100 {
            journal.submit(batch([payload(number)]), completion: outcomes.completion)
        }
        #expect(outcomes.count == 0)
        gate.change { $0 = true }
        let answers = outcomes.wait(101)
        #expect(answers == (1...101).map { .committed(first: $0, last: $0) })
        #expect(journal.status.commits == 2)
    }

    @Test func `a reader sees nothing before its sync`() throws {
        let directory = try TemporaryDirectory()
        let gate = Monitor(false)
        let journal = try open(
            options(directory),
            faults: JournalFaults(sync: { _ in
                _ = gate.wait(until: .after(.seconds(10)), for: { $0 }, then: { _ in })
                return 0
            }))
        defer { journal.close() }
        let outcomes = Outcomes()
        journal.submit(batch(["a"]), completion: outcomes.completion)
        let reader = JournalReader(journal, from: 1)
        #expect(!journal.waitForCommitted(after: 0, until: .after(.milliseconds(30))))
        #expect(try reader.next().isEmpty)
        gate.change { $0 = true }
        #expect(journal.waitForCommitted(after: 0, until: .after(.seconds(10))))
        #expect(try reader.drain().map(\.payload) == ["a"])
    }

    @Test func `batches larger than a segment get one of their own`() throws {
        let directory = try TemporaryDirectory()
        let journal = try open(options(directory))
        defer { journal.close() }
        let large = (0..<5).map { payload($0, bytes: 40 << 10) }
        #expect(journal.commit(["small"]) == .committed(first: 1, last: 1))
        #expect(journal.commit(large) == .committed(first: 2, last: 6))
        #expect(journal.commit(["after"]) == .committed(first: 7, last: 7))
        let reader = JournalReader(journal, from: 1, blockBytes: 4096)
        #expect(try reader.drain().map(\.payload) == ["small"] + large + ["after"])
    }

    @Test func `many segments are read in order, also from the middle`() throws {
        let directory = try TemporaryDirectory()
        let journal = try open(options(directory))
        defer { journal.close() }
        let payloads = (0..<300).map { payload($0, bytes: 1500) }
        for payload in payloads { _ = journal.commit([payload]) }
        #expect(journal.status.segments > 5)
        #expect(try JournalReader(journal, from: 1).drain().map(\.payload) == payloads)
        let tail = try JournalReader(journal, from: 151, blockBytes: 4096).drain()
        #expect(tail.map(\.payload) == Array(payloads[150...]))
        #expect(tail.first?.sequence == 151)
    }

    @Test func `a reader keeps to its limits`() throws {
        let directory = try TemporaryDirectory()
        let journal = try open(options(directory))
        defer { journal.close() }
        _ = journal.commit((0..<10).map { payload($0, bytes: 100) })
        let reader = JournalReader(journal, from: 1)
        #expect(try reader.next(maxRecords: 3).map(\.sequence) == [1, 2, 3])
        #expect(try reader.next(maxBytes: 150).map(\.sequence) == [4, 5])
        #expect(reader.nextSequence == 6)
        #expect(try reader.drain().count == 5)
    }

    @Test func `a reader follows writers on other threads`() throws {
        let directory = try TemporaryDirectory()
        let journal = try open(options(directory))
        defer { journal.close() }
        let writers = (0..<4).map { writer in
            Thread(name: "writer") {
                let outcomes = Outcomes()
                for number in 0..<200 {
                    journal.submit(
                        batch([payload(writer * 1000 + number, bytes: 300)]),
                        completion: outcomes.completion)
                    if number % 20 == 19 { _ = outcomes.wait(number + 1) }
                }
                _ = outcomes.wait(200)
            }
        }
        let reader = JournalReader(journal, from: 1, blockBytes: 8192)
        var records: [ReadRecord] = []
        while records.count < 800,
            journal.waitForCommitted(
                after: reader.nextSequence - 1, until: .after(.seconds(10)))
        {
            records += try reader.drain()
        }
        for writer in writers { writer.join() }
        #expect(records.map(\.sequence) == Array(1...800))
        #expect(Set(records.map(\.payload)).count == 800)
        #expect(reader.damagedRecords == 0 && reader.missingRecords == 0)
    }

    @Test func `closing commits what waits and refuses what comes later`() throws {
        let directory = try TemporaryDirectory()
        let journal = try open(options(directory))
        let outcomes = Outcomes()
        for number in 0..<50 {
            journal.submit(batch([payload(number)]), completion: outcomes.completion)
        }
        journal.close()
        #expect(outcomes.count == 50)
        #expect(journal.commit(["late"]) == .closed)
        #expect(journal.isClosed)
        #expect(!journal.waitForCommitted(after: 50, until: .never))
        #expect(try JournalReader(journal, from: 1).drain().count == 50)
    }

    @Test func `sequences never go below what the store has applied`() throws {
        let directory = try TemporaryDirectory()
        var journal = try open(options(directory))
        _ = journal.commit(["a"])
        journal.close()
        journal = try open(options(directory), from: 500)
        #expect(journal.commit(["b"]) == .committed(first: 500, last: 500))
        #expect(
            try JournalReader(journal, from: 500).drain()
                == [ReadRecord(sequence: 500, payload: "b")])
        journal.close()
        FileSystem.remove(options(directory).directory)
        journal = try open(options(directory), from: 501)
        defer { journal.close() }
        #expect(journal.commit(["c"]) == .committed(first: 501, last: 501))
        #expect(journal.status.damage == JournalDamage())
    }

    @Test func `syncing by interval acknowledges at once and syncs soon`() throws {
        let directory = try TemporaryDirectory()
        let syncs = Atomic<Int>(0)
        var options = options(directory)
        options.sync = .interval(.milliseconds(20))
        let journal = try open(
            options,
            faults: JournalFaults(sync: { _ in
                syncs.add(1, ordering: .relaxed)
                return 0
            }))
        #expect(journal.status.sync == .interval(.milliseconds(20)))
        for number in 0..<10 { _ = journal.commit([payload(number)]) }
        #expect(eventually { syncs.load(ordering: .relaxed) > 0 })
        #expect(try JournalReader(journal, from: 1).drain().count == 10)
        journal.close()
        let again = try open(options)
        defer { again.close() }
        #expect(try JournalReader(again, from: 1).drain().count == 10)
    }

    @Test func `a light user's journal stays small and a spare is made only when wanted`() throws {
        let directory = try TemporaryDirectory()
        let options = JournalOptions(directory: directory.path + "/journal")
        let journal = try open(options)
        defer { journal.close() }
        #expect(journal.status.bytesOnDisk == 0)
        #expect(journal.commit(["a"]) == .committed(first: 1, last: 1))
        #expect(eventually { journal.status.spareSegments == 1 })
        #expect(journal.commit(["b"]) == .committed(first: 2, last: 2))
        #expect(journal.commit(["c"]) == .committed(first: 3, last: 3))
        #expect(journal.status.spareSegments == 0)
        #expect(journal.status.bytesOnDisk < 17 << 20)
        #expect(try JournalReader(journal, from: 1).drain().map(\.payload) == ["a", "b", "c"])
    }
}
