/// Finds nodes by the hash of their key: open addressing with linear probing. A slot holds the upper
/// half of the hash, the node's number and what its owner keeps for it, such as where its entry is, so
/// that a probe reads one line of the processor's cache, and a find goes from there to what is found.
///
/// The owner calls `destroy`. It grows with its owner's entries, and never shrinks.
struct NodeIndex {
    private struct Slot {
        /// Hash and node; 0 for an empty slot, since no node is 0.
        var word: UInt64
        var payload: UInt
    }

    private var slots: UnsafeMutablePointer<Slot>
    private var mask: Int
    private(set) var count = 0

    init(capacity: Int = 64) {
        slots = .allocate(capacity: capacity)
        slots.initialize(repeating: Slot(word: 0, payload: 0), count: capacity)
        mask = capacity - 1
    }

    func destroy() { slots.deallocate() }

    var byteCount: Int { (mask + 1) * MemoryLayout<Slot>.stride }

    /// The first node under this hash for which `matches` holds; 0 if there is none.
    /// - Parameter matches: is given the node and what is kept for it.
    @inline(__always)
    func find(_ hash: UInt64, _ matches: (UInt32, UInt) -> Bool) -> UInt32 {
        let tag = hash >> 32
        var place = Int(truncatingIfNeeded: tag) & mask
        while true {
            let word = slots[place].word
            if word == 0 { return 0 }
            let node = UInt32(truncatingIfNeeded: word)
            if word >> 32 == tag, matches(node, slots[place].payload) { return node }
            place = (place + 1) & mask
        }
    }

    mutating func insert(_ hash: UInt64, _ node: UInt32, _ payload: UInt = 0) {
        // At most half full, so that probes stay short.
        if (count + 1) * 2 > mask + 1 { grow() }
        count += 1
        put(Slot(word: NodeIndex.word(hash, node), payload: payload))
    }

    /// Keeps something else for a node that is there.
    func replace(_ hash: UInt64, _ node: UInt32, _ payload: UInt) {
        if let place = place(of: NodeIndex.word(hash, node)) { slots[place].payload = payload }
    }

    mutating func remove(_ hash: UInt64, _ node: UInt32) {
        guard var hole = place(of: NodeIndex.word(hash, node)) else { return }
        count -= 1
        // Slots after the hole move up if it lies between their home and them; no tombstones.
        var next = hole
        while true {
            next = (next + 1) & mask
            let slot = slots[next]
            if slot.word == 0 { break }
            if (next - home(slot.word)) & mask >= (next - hole) & mask {
                slots[hole] = slot
                hole = next
            }
        }
        slots[hole] = Slot(word: 0, payload: 0)
    }

    private static func word(_ hash: UInt64, _ node: UInt32) -> UInt64 {
        hash & ~0xFFFF_FFFF | UInt64(node)
    }

    private func place(of word: UInt64) -> Int? {
        var place = home(word)
        while slots[place].word != word {
            if slots[place].word == 0 { return nil }
            place = (place + 1) & mask
        }
        return place
    }

    private func home(_ word: UInt64) -> Int { Int(truncatingIfNeeded: word >> 32) & mask }

    private func put(_ slot: Slot) {
        var place = home(slot.word)
        while slots[place].word != 0 { place = (place + 1) & mask }
        slots[place] = slot
    }

    private mutating func grow() {
        let (old, oldCount) = (slots, mask + 1)
        slots = .allocate(capacity: oldCount * 2)
        slots.initialize(repeating: Slot(word: 0, payload: 0), count: oldCount * 2)
        mask = oldCount * 2 - 1
        for index in 0..<oldCount where old[index].word != 0 { put(old[index]) }
        old.deallocate()
    }
}
