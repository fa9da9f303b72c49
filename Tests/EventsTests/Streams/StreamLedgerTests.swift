import Testing

@testable import Events

@Suite struct StreamLedgerTests {
    private func id(_ number: UInt64) -> StreamEntryID {
        StreamEntryID(milliseconds: 1, number: number)
    }

    /// A batch that reaches so far in two partitions; 0 says nothing.
    private func batch(_ era: UInt64, _ reach: UInt64...) -> StreamBatch {
        let batch = StreamBatch(partitions: 2)
        batch.era = era
        for (index, number) in reach.enumerated() where number > 0 {
            batch.reach[index] = id(number)
        }
        return batch
    }

    @Test func `a record is settled once every partition has come past its entries`() {
        let ledger = StreamLedger(partitions: 2, settled: 4)
        #expect(!ledger.forwarded(upTo: 7, ends: [id(10), id(20)], era: 1))
        let first = batch(1, 10)
        #expect(ledger.position(afterStoring: first) == 4)
        ledger.stored(first)
        let second = batch(1, 0, 20)
        #expect(ledger.position(afterStoring: second) == 7)
        #expect(ledger.settled == 4)
        ledger.stored(second)
        #expect(ledger.settled == 7)
    }

    @Test func `what was stored before Redis answered settles with the answer`() {
        let ledger = StreamLedger(partitions: 2, settled: 0)
        ledger.stored(batch(1, 10, 20))
        #expect(ledger.forwarded(upTo: 3, ends: [id(10), .zero], era: 1))
        #expect(ledger.settled == 3)
    }

    @Test func `in doubt nothing settles before the journal itself was stored that far`() {
        let ledger = StreamLedger(partitions: 2, settled: 0)
        ledger.forwarded(upTo: 5, ends: [id(5), id(5)], era: 1)
        ledger.beginEra(storeDirectlyUpTo: 8, ends: [.zero, .zero])
        #expect(ledger.era == 2 && ledger.directTarget == 8)
        ledger.stored(batch(1, 9, 9))
        ledger.forwarded(upTo: 5, ends: [id(5), id(5)], era: 1)
        #expect(ledger.settled == 0)
        // Sent again in the new era, but records before it may be gone.
        ledger.forwarded(upTo: 6, ends: [id(16), id(16)], era: 2)
        ledger.stored(batch(2, 16, 16))
        #expect(ledger.settled == 0)
        ledger.storedDirectly(upTo: 8)
        ledger.forwarded(upTo: 9, ends: [id(17), id(16)], era: 2)
        #expect(ledger.settled == 8)
        ledger.stored(batch(2, 17))
        #expect(ledger.settled == 9)
    }

    @Test func `what was sent before a doubt is as good as reached`() {
        let ledger = StreamLedger(partitions: 2, settled: 0)
        ledger.beginEra(storeDirectlyUpTo: 8, ends: [id(5), id(7)])
        // The second partition was emptied: nobody will read up to its end again.
        ledger.forwarded(upTo: 9, ends: [id(9), id(7)], era: 2)
        ledger.stored(batch(2, 9, 0))
        #expect(ledger.settled == 0)
        ledger.storedDirectly(upTo: 8)
        #expect(ledger.settled == 9)
    }

    @Test func `ten thousand checkpoints take no more room than a thousand`() {
        let ledger = StreamLedger(partitions: 1, settled: 0)
        for number in 1...10_000 as ClosedRange<UInt64> {
            ledger.forwarded(upTo: number, ends: [id(number)], era: 1)
        }
        let batch = StreamBatch(partitions: 1)
        batch.era = 1
        batch.reach[0] = id(500)
        ledger.stored(batch)
        #expect(ledger.settled == 500)
        batch.reach[0] = id(9_999)
        ledger.stored(batch)
        #expect(ledger.settled < 9_999)
        batch.reach[0] = id(10_000)
        ledger.stored(batch)
        #expect(ledger.settled == 10_000)
    }
}
