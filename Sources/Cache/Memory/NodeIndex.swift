/// Finds nodes by the hash of their key: open addressing with linear probing. A slot holds a node's
/// number and the upper half of its hash, so that a probe reads one line of the processor's cache
/// and looks at a node only if it is most likely the right one.
///
/// The owner calls `destroy`. It grows with its owner's entries, and never shrinks.
struct NodeIndex {
    private var slots: UnsafeMutablePointer<UInt64>
    private var mask: Int
    private(set) var count = 0

    init(capacity: Int = 64) {
        slots = .allocate(capacity: capacity)
        slots.initialize(repeating: 0, count: capacity)
        mask = capacity - 1
    }

    func destroy() { slots.deallocate() }

    var byteCount: Int { (mask + 1) * MemoryLayout<UInt64>.stride }

    /// The first node under this hash for which `matches` holds; 0 if there is none.
    @inline(__always)
    func find(_ hash: UInt64, _ matches: (UInt32) -> Bool) -> UInt32 {
        let tag = hash >> 32
        var place = Int(truncatingIfNeeded: tag) & mask
        while true {
            let slot = slots[place]
            if slot == 0 { return 0 }
            let node = UInt32(truncatingIfNeeded: slot)
            if slot >> 32 == tag, matches(node) { return node }
            place = (place + 1) & mask
        }
    }

    mutating func insert(_ hash: UInt64, _ node: UInt32) {
        // At most half full, so that probes stay short.
        if (count + 1) * 2 > mask + 1 { grow() }
        count += 1
        place(hash & ~0xFFFF_FFFF | UInt64(node))
    }

    mutating func remove(_ hash: UInt64, _ node: UInt32) {
        let wanted = hash & ~0xFFFF_FFFF | UInt64(node)
        var hole = home(wanted)
        while slots[hole] != wanted {
            if slots[hole] == 0 { return }
            hole = (hole + 1) & mask
        }
        count -= 1
        // Slots after the hole move up if it lies between their home and them; no tombstones.
        var next = hole
        while true {
            next = (next + 1) & mask
            let slot = slots[next]
            if slot == 0 { break }
            if (next - home(slot)) & mask >= (next - hole) & mask {
                slots[hole] = slot
                hole = next
            }
        }
        slots[hole] = 0
    }

    private func home(_ slot: UInt64) -> Int { Int(truncatingIfNeeded: slot >> 32) & mask }

    private func place(_ slot: UInt64) {
        var place = home(slot)
        while slots[place] != 0 { place = (place + 1) & mask }
        slots[place] = slot
    }

    private mutating func grow() {
        let (old, oldCount) = (slots, mask + 1)
        slots = .allocate(capacity: oldCount * 2)
        slots.initialize(repeating: 0, count: oldCount * 2)
        mask = oldCount * 2 - 1
        for index in 0..<oldCount where old[index] != 0 { place(old[index]) }
        old.deallocate()
    }
}
