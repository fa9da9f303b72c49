import Primitives

/// What questions of a kind have cost, so that the next one of it waits with its like.
///
/// A table of fixed size: two kinds that share a place forget each other, and the cost is then taken
/// for what the last one had. Any thread.
package final class CostBook: Sendable {
    private struct Slot {
        var kind: UInt64 = 0
        /// A moving average.
        var nanoseconds: Int64 = 0
    }

    private let slots: Locked<[Slot]>

    /// 4,096 kinds of 16 bytes are 64 KiB.
    private static let slotCount = 4096
    /// What takes longer than this may not have every worker.
    package static let longCost = Duration.milliseconds(100)
    /// How much of the average the last question makes up: a quarter.
    private static let weight: Int64 = 4

    package init() { slots = Locked(Array(repeating: Slot(), count: CostBook.slotCount)) }

    /// Whether a question of the kind may not have every worker: it took long, or nobody knows.
    package func isLong(_ kind: UInt64) -> Bool {
        slots.withLock { slots in
            let slot = slots[CostBook.place(kind)]
            return slot.kind != kind || slot.nanoseconds > CostBook.longCost.wholeNanoseconds
        }
    }

    /// A question of the kind has been answered, or given up, after `cost`.
    package func note(_ kind: UInt64, _ cost: Duration) {
        let nanoseconds = cost.wholeNanoseconds
        slots.withLock { slots in
            let place = CostBook.place(kind)
            guard slots[place].kind == kind else {
                return slots[place] = Slot(kind: kind, nanoseconds: nanoseconds)
            }
            slots[place].nanoseconds += (nanoseconds - slots[place].nanoseconds) / CostBook.weight
        }
    }

    private static func place(_ kind: UInt64) -> Int { Int(kind % UInt64(slotCount)) }
}
