import Primitives

/// A blocked Bloom filter (Putze, Sanders, Singler 2007): six bits of one cache line for each entry.
/// With 10 bits an entry some 1.3 % of the fingerprints that are not there seem to be.
final class IdentityFilter: @unchecked Sendable {  // Filled by one thread before others see it.
    private static let bitsPerEntry = 10
    private static let blockBits = 512
    static let blockBytes = blockBits / 8
    private static let wordsPerBlock = blockBytes / 8
    private static let probes = 6

    let blockCount: Int
    private let words: UnsafeMutablePointer<UInt64>

    /// - Parameter entryCount: entries that it is made for.
    convenience init(entryCount: Int) {
        self.init(
            blockCount: entryCount * IdentityFilter.bitsPerEntry / IdentityFilter.blockBits + 1)
    }

    /// An empty one, or one whose `bytes` are filled in by the caller.
    init(blockCount: Int) {
        self.blockCount = blockCount
        let raw = UnsafeMutableRawPointer.allocate(
            byteCount: blockCount * IdentityFilter.blockBytes, alignment: IdentityFilter.blockBytes)
        words = raw.initializeMemory(
            as: UInt64.self, repeating: 0, count: blockCount * IdentityFilter.wordsPerBlock)
    }

    deinit { UnsafeMutableRawPointer(words).deallocate() }

    var bytes: UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(
            start: words, count: blockCount * IdentityFilter.blockBytes)
    }

    func insert(_ fingerprint: UInt64) {
        let block = block(of: fingerprint)
        var hash = fingerprint &* 0x9E37_79B9_7F4A_7C15
        for _ in 0..<IdentityFilter.probes {
            block[Int(hash >> 6 & 7)] |= 1 << (hash & 63)
            hash = hash >> 9 | hash << 55
        }
    }

    /// Prefetches the cache line that `mayContain` will read.
    func prefetch(_ fingerprint: UInt64) { Primitives.prefetch(block(of: fingerprint)) }

    /// Looks at all bits before it decides: a branch at each would wait for the line to come from
    /// memory, while so the processor asks for the lines of other filters meanwhile.
    func mayContain(_ fingerprint: UInt64) -> Bool {
        let block = block(of: fingerprint)
        var hash = fingerprint &* 0x9E37_79B9_7F4A_7C15
        var found: UInt64 = 1
        for _ in 0..<IdentityFilter.probes {
            found &= block[Int(hash >> 6 & 7)] >> (hash & 63)
            hash = hash >> 9 | hash << 55
        }
        return found != 0
    }

    private func block(of fingerprint: UInt64) -> UnsafeMutablePointer<UInt64> {
        let index = Int(fingerprint.multipliedFullWidth(by: UInt64(blockCount)).high)
        return words + index * IdentityFilter.wordsPerBlock
    }
}
