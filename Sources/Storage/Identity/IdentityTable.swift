import Primitives

/// Identities of the newest rows, in memory: an open-addressing table that grows up to `fullCount`
/// entries, 16 MiB. The writer's thread, until it is frozen; then anybody may read it.
///
/// An entry's place follows the upper bits of its fingerprint, so the table from front to back is
/// almost sorted, and sealing it costs one pass.
final class IdentityTable: @unchecked Sendable {  // The writer's thread; frozen, nothing changes.
    /// Entries after which it is sealed, unless the store's options say otherwise.
    static let fullCount = 1 << 19
    private static let firstBits = 10

    private var bits: Int
    private var slots: UnsafeMutablePointer<IdentityEntry>
    private(set) var count = 0

    init() {
        bits = IdentityTable.firstBits
        slots = IdentityTable.allocate(bits)
    }

    deinit { slots.deallocate() }

    private var slotCount: Int { 1 << bits }

    private static func allocate(_ bits: Int) -> UnsafeMutablePointer<IdentityEntry> {
        let slots = UnsafeMutablePointer<IdentityEntry>.allocate(capacity: 1 << bits)
        slots.initialize(repeating: IdentityEntry(fingerprint: 0, seq: 0), count: 1 << bits)
        return slots
    }

    /// Prefetches the cache line that `find` will read first.
    func prefetch(_ fingerprint: UInt64) { Primitives.prefetch(slots + home(fingerprint)) }

    /// Appends the rows that may have the identity.
    func find(_ fingerprint: UInt64, _ candidates: inout [Int64]) {
        var index = home(fingerprint)
        while slots[index].seq != 0 {
            if slots[index].fingerprint == fingerprint { candidates.append(slots[index].seq) }
            index = (index + 1) & (slotCount - 1)
        }
    }

    /// At most half of the slots are taken, so that a search takes 1.5 looks.
    func insert(_ entry: IdentityEntry) {
        if count * 2 >= slotCount { rebuild(bits: bits + 1) { _ in true } }
        place(entry)
    }

    /// Forgets rows after `seq`: their transaction was rolled back. Costs as much as the table is
    /// large.
    func removeAll(after seq: Int64) { rebuild(bits: bits) { $0.seq <= seq } }

    /// The fingerprint of a row; 0 if it is not in here. Costs as much as the table is large.
    func fingerprint(of seq: Int64) -> UInt64 {
        for index in 0..<slotCount where slots[index].seq == seq {
            return slots[index].fingerprint
        }
        return 0
    }

    /// All entries, sorted by their fingerprints.
    func sorted() -> [IdentityEntry] {
        var entries: [IdentityEntry] = []
        entries.reserveCapacity(count)
        // What found no place before the end lies at the front.
        var wrapped: [IdentityEntry] = []
        for index in 0..<slotCount where slots[index].seq != 0 {
            if home(slots[index].fingerprint) > index {
                wrapped.append(slots[index])
            } else {
                entries.append(slots[index])
            }
        }
        entries += wrapped
        entries.withUnsafeMutableBufferPointer { IdentityTable.sortNearlySorted($0) }
        return entries
    }

    /// Insertion sort: each entry is a few places from where it belongs.
    private static func sortNearlySorted(_ entries: UnsafeMutableBufferPointer<IdentityEntry>) {
        guard entries.count > 1 else { return }
        for end in 1..<entries.count {
            let entry = entries[end]
            var index = end
            while index > 0, entries[index - 1].fingerprint > entry.fingerprint {
                entries[index] = entries[index - 1]
                index -= 1
            }
            entries[index] = entry
        }
    }

    private func home(_ fingerprint: UInt64) -> Int { Int(fingerprint >> UInt64(64 - bits)) }

    private func place(_ entry: IdentityEntry) {
        var index = home(entry.fingerprint)
        while slots[index].seq != 0 { index = (index + 1) & (slotCount - 1) }
        slots[index] = entry
        count += 1
    }

    private func rebuild(bits newBits: Int, keeping isKept: (IdentityEntry) -> Bool) {
        let (old, oldCount) = (slots, slotCount)
        bits = newBits
        slots = IdentityTable.allocate(newBits)
        count = 0
        for index in 0..<oldCount where old[index].seq != 0 && isKept(old[index]) {
            place(old[index])
        }
        old.deallocate()
    }
}
