internal import Glibc
import Primitives

/// Byte strings, numbered from 0 in the order in which they were first seen.
///
/// An open-addressing table over one arena of bytes. One thread at a time.
final class KeyTable {
    /// Number + 1 of the key in each slot; 0 is free. At most half are taken.
    private var slots: UnsafeMutablePointer<UInt32>
    private var mask: Int
    /// Here, because a global is looked at behind a check whether it has been made.
    private let seed = TableHash.seed
    private var hashes: GrowingArray<UInt64>
    /// Where each key starts in the arena; one more says where the last one ends.
    private var starts: GrowingArray<Int>
    private var arena = ByteBuffer(capacity: 4096)

    /// Keys so far; at most 2^31.
    private(set) var count = 0

    init() {
        mask = 255
        slots = .allocate(capacity: 256)
        slots.initialize(repeating: 0, count: 256)
        hashes = GrowingArray()
        starts = GrowingArray()
        starts.append(0)
    }

    deinit { slots.deallocate() }

    /// Memory in use.
    var byteCount: Int {
        (mask + 1) * 4 + hashes.byteCount + starts.byteCount + arena.capacity
    }

    /// The number of `key`, which is added if it is new.
    func number(of key: UnsafeRawBufferPointer) -> Int {
        let hash = TableHash.hash(key, seed)
        var index = Int(truncatingIfNeeded: hash) & mask
        while slots[index] != 0 {
            let number = Int(slots[index]) - 1
            if hashes[number] == hash, isEqual(number, key) { return number }
            index = (index + 1) & mask
        }
        slots[index] = UInt32(count + 1)
        hashes.append(hash)
        arena.append(key)
        starts.append(arena.count)
        count += 1
        if count * 2 > mask { grow() }
        return count - 1
    }

    /// Valid until a key is added.
    func key(_ number: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: arena.span[starts[number]..<starts[number + 1]])
    }

    private func isEqual(_ number: Int, _ key: UnsafeRawBufferPointer) -> Bool {
        let start = starts[number]
        guard starts[number + 1] - start == key.count else { return false }
        guard let base = key.baseAddress, !key.isEmpty else { return true }
        return memcmp(arena.base + start, base, key.count) == 0
    }

    private func grow() {
        precondition(count < Int(Int32.max))
        slots.deallocate()
        mask = mask * 2 + 1
        slots = .allocate(capacity: mask + 1)
        slots.initialize(repeating: 0, count: mask + 1)
        for number in 0..<count {
            var index = Int(truncatingIfNeeded: hashes[number]) & mask
            while slots[index] != 0 { index = (index + 1) & mask }
            slots[index] = UInt32(number + 1)
        }
    }
}

/// An array of trivial values without checks and without reference counts.
struct GrowingArray<Element: BitwiseCopyable>: ~Copyable {
    private var base: UnsafeMutablePointer<Element>
    private(set) var count = 0
    private var capacity: Int

    init(capacity: Int = 64) {
        self.capacity = capacity
        base = .allocate(capacity: capacity)
    }

    deinit { base.deallocate() }

    var byteCount: Int { capacity * MemoryLayout<Element>.stride }
    var buffer: UnsafeMutableBufferPointer<Element> {
        UnsafeMutableBufferPointer(start: base, count: count)
    }

    subscript(index: Int) -> Element {
        @inline(__always) get { base[index] }
        @inline(__always) nonmutating set { base[index] = newValue }
    }

    /// The place of an element, for changing a part of it.
    @inline(__always)
    func pointer(_ index: Int) -> UnsafeMutablePointer<Element> { base + index }

    mutating func append(_ element: Element) {
        if count == capacity { grow(to: count + 1) }
        (base + count).initialize(to: element)
        count += 1
    }

    /// Makes it at most `wanted` long.
    mutating func truncate(to wanted: Int) { count = min(count, wanted) }

    /// Makes it at least `wanted` long.
    mutating func extend(to wanted: Int, _ element: Element) {
        guard wanted > count else { return }
        if wanted > capacity { grow(to: wanted) }
        (base + count).initialize(repeating: element, count: wanted - count)
        count = wanted
    }

    private mutating func grow(to wanted: Int) {
        let larger = max(wanted, capacity * 2)
        let moved = UnsafeMutablePointer<Element>.allocate(capacity: larger)
        moved.moveInitialize(from: base, count: count)
        base.deallocate()
        base = moved
        capacity = larger
    }
}
