import Primitives
import TestSupport
import Testing

@testable import EventCoding
@testable import Streams

/// How entries that were delivered before are tried.
@Suite(.blocking) struct PendingEntryTests {
    private func entries(_ count: Int, deliveries: Int64) -> [PendingEntry] {
        (0..<count).map {
            PendingEntry(
                id: StreamEntryID(milliseconds: UInt64($0), number: 0), deliveries: deliveries)
        }
    }

    @Test func `what stands out is tried behind the others, and in groups that halve`() {
        let page = [21, 1, 12, 6, 5, 6, 7, 20, 2].enumerated().map {
            PendingEntry(
                id: StreamEntryID(milliseconds: UInt64($0.offset), number: 0),
                deliveries: $0.element)
        }
        var rest = PendingEntry.inOrderOfTrial(page)[...]
        var groups: [[Int64]] = []
        while !rest.isEmpty {
            let group = PendingEntry.group(of: rest)
            groups.append(group.map(\.deliveries))
            rest = rest.dropFirst(group.count)
        }
        #expect(groups == [[1, 5, 2], [6, 6], [7], [12], [20], [21]])
        for (deliveries, size) in [(6, 64), (7, 32), (8, 16), (11, 2), (12, 1), (20, 1)] {
            let page = entries(500, deliveries: Int64(deliveries))
            #expect(PendingEntry.group(of: page[...]).count == size)
        }
        #expect(PendingEntry.group(of: entries(500, deliveries: 5)[...]).count == 500)
        #expect(PendingEntry.group(of: entries(500, deliveries: 21)[...]).count == 500)
    }

    @Test(arguments: [[250], [0, 499], [3, 4], [100, 101, 355]])
    func `what ends the process goes to quarantine, and nothing else does`(poison: [Int]) {
        var pending = entries(500, deliveries: 1)
        let poisonous = Set(poison.map { pending[$0].id })
        var givenUp: Set<StreamEntryID> = []
        var stored = 0
        var lives = 0
        while !pending.isEmpty, lives < 1000 {
            lives += 1
            var rest = PendingEntry.inOrderOfTrial(pending)[...]
            while let first = rest.first {
                let group = PendingEntry.group(of: rest)
                rest = rest.dropFirst(group.count)
                let ids = Set(group.map(\.id))
                if first.isGivenUp {
                    givenUp.formUnion(ids)
                } else if !ids.isDisjoint(with: poisonous) {
                    for index in pending.indices where ids.contains(pending[index].id) {
                        pending[index].deliveries += 1
                    }
                    break
                } else {
                    stored += ids.count
                }
                pending.removeAll { ids.contains($0.id) }
            }
        }
        #expect(givenUp == poisonous && stored == 500 - poison.count)
        #expect(lives <= 20 * poison.count + 1)
    }
}
