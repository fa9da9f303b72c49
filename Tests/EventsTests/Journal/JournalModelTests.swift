import Glibc
import Primitives
import Synchronization
import Telemetry
import TestSupport
import Testing

@testable import Journal

/// A journal, a disk that dies and comes back, and what must be in the journal.
private final class History {
    private var random: SeededGenerator
    private let directory: TemporaryDirectory
    private var options: JournalOptions
    private var journal: Journal
    /// Writes and syncs that still succeed; then everything fails as if the machine had stopped.
    private let budget = Monitor(Int.max)
    private var faults: JournalFaults
    private var number = 0
    /// What was acknowledged, in order.
    private var acknowledged: [ReadRecord] = []
    /// What was refused by a dying disk: it may or may not be there.
    private var refused: Set<String> = []
    private var released: UInt64 = 0

    init(seed: UInt64) throws {
        random = SeededGenerator(seed: seed)
        directory = try TemporaryDirectory()
        options = EventsTests.options(directory)
        options.sync = Bool.random(using: &random) ? .always : .interval(.milliseconds(3))
        let budget = budget
        let spend: JournalFaults.Fault = { _ in
            budget.withLock {
                $0 = max(0, $0 - 1)
                return $0 > 0 ? 0 : EIO
            }
        }
        faults = JournalFaults(create: spend, write: spend, sync: spend)
        faults.writeLimitBytes = Bool.random(using: &random) ? 900 : nil
        journal = try EventsTests.open(options, faults: faults)
    }

    deinit { journal.close() }

    func run(steps: Int) throws {
        for _ in 0..<steps {
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<5: commit(burst: Int.random(in: 1...8, using: &random))
            case 5: release()
            case 6: try restart()
            case 7: try die()
            default: try check()
            }
        }
        try restart()
        try check()
    }

    private func commit(burst: Int) {
        let outcomes = Outcomes()
        var sent: [[String]] = []
        for _ in 0..<burst {
            let payloads = (0..<Int.random(in: 1...4, using: &random)).map { _ in
                number += 1
                return payload(number, bytes: Int.random(in: 0...9000, using: &random))
            }
            sent.append(payloads)
            journal.submit(batch(payloads), completion: outcomes.completion)
        }
        for (payloads, outcome) in zip(sent, outcomes.wait(burst)) {
            guard case .committed(let first, let last) = outcome else {
                refused.formUnion(payloads)
                continue
            }
            #expect(last - first + 1 == UInt64(payloads.count))
            for (index, payload) in payloads.enumerated() {
                acknowledged.append(ReadRecord(sequence: first + UInt64(index), payload: payload))
            }
        }
    }

    private func release() {
        guard let last = acknowledged.last?.sequence else { return }
        released = UInt64.random(in: released...max(released, last), using: &random)
        journal.release(upTo: released, by: "store")
    }

    private func restart() throws {
        budget.change { $0 = .max }
        journal.close()
        journal = try EventsTests.open(options, from: released + 1, faults: faults)
        journal.release(upTo: released, by: "store")
    }

    /// The disk stops in the middle of something; then the process starts again.
    private func die() throws {
        budget.change { $0 = Int.random(in: 1...20, using: &random) }
        commit(burst: 6)
        journal.close()
        try restart()
    }

    private func check() throws {
        let reader = JournalReader(journal, from: released + 1, blockBytes: 8192)
        let records = try reader.drain()
        let expected = acknowledged.filter { $0.sequence > released }
        // A refused record may have survived the disk's death; it never replaces another one.
        let extra = records.filter { refused.contains($0.payload) }
        #expect(records.filter { !refused.contains($0.payload) } == expected)
        #expect(records.map(\.sequence) == records.map(\.sequence).sorted())
        #expect(Set(records.map(\.sequence)).count == records.count)
        acknowledged.append(contentsOf: extra)
        acknowledged.sort { $0.sequence < $1.sequence }
        refused.subtract(extra.map(\.payload))
        #expect(reader.damagedRecords == 0)
        #expect(reader.missingRecords == 0)
    }
}

@Suite(.blocking) struct JournalModelTests {
    @Test(arguments: 0..<12)
    func `random histories keep what was acknowledged, once and in order`(index: Int) throws {
        let seed = UInt64.random(in: .min ... .max)
        print("journal history \(index): seed \(seed)")
        try History(seed: seed).run(steps: 60)
    }
}
