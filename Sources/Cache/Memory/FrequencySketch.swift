/// How often keys were asked for of late: a count-min sketch of 4-bit counters (Cormode and
/// Muthukrishnan) that ages by halving, as TinyLFU asks for (Einziger, Friedman, Manes, 2017).
///
/// The four counters of a key lie in one block of 64 bytes, so a look costs one line of the
/// processor's cache. It is sized in entries, also where the cache is bounded in bytes: the period
/// after which it ages counts questions, and a period in bytes would never end.
///
/// One owner, one thread at a time. The owner calls `destroy`.
struct FrequencySketch {
    /// Below this many entries chance collisions would decide who stays.
    static let leastEntryCount = 64
    static let highestCount = 15
    /// Questions per entry until every counter is halved (the paper's W/C of 10).
    private static let periodFactor = 10
    private static let wordsPerBlock = 8
    private static let oneInEach: UInt64 = 0x1111_1111_1111_1111
    private static let sevenInEach: UInt64 = 0x7777_7777_7777_7777

    /// 16 counters a word, 8 words a block.
    private var words: UnsafeMutablePointer<UInt64>
    private(set) var entryCount: Int
    private var blockMask: UInt64
    private var additions = 0
    private var period: Int

    /// - Parameter entries: how many entries the cache is expected to hold.
    init(entries: Int) {
        let rounded = FrequencySketch.roundedUp(entries)
        entryCount = rounded
        // A word an entry: 16 counters, of which a key uses 4.
        words = .allocate(capacity: rounded)
        words.initialize(repeating: 0, count: rounded)
        blockMask = UInt64(rounded / FrequencySketch.wordsPerBlock - 1)
        period = FrequencySketch.periodFactor * max(entries, FrequencySketch.leastEntryCount)
    }

    func destroy() { words.deallocate() }

    var byteCount: Int { entryCount * MemoryLayout<UInt64>.stride }

    /// The estimate for a key with this hash: never below the truth since the last halvings, 0 to
    /// 15.
    func frequency(_ hash: UInt64) -> Int {
        let place = Place(hash, blockMask)
        var least = UInt64(FrequencySketch.highestCount)
        for row in 0..<4 {
            let (word, shift) = place.counter(row)
            least = min(least, (words[word] &>> shift) & 15)
        }
        return Int(truncatingIfNeeded: least)
    }

    /// A word of the line in which the counters of this key are: reading it has the line fetched.
    @inline(__always)
    func word(of hash: UInt64) -> UInt64 { words[Place(hash, blockMask).firstWord] }

    /// Counts one question for the key with this hash.
    mutating func count(_ hash: UInt64) {
        let place = Place(hash, blockMask)
        var hasChanged = false
        for row in 0..<4 {
            let (word, shift) = place.counter(row)
            let counters = words[word]
            if (counters &>> shift) & 15 < 15 {
                words[word] = counters &+ (1 &<< shift)
                hasChanged = true
            }
        }
        guard hasChanged else { return }
        additions &+= 1
        if additions >= period { age() }
    }

    /// Makes room for `entries`; what was counted stays.
    ///
    /// A block is chosen by the low bits of a hash, so after doubling each half of the keys of a
    /// block finds its counts in one of two copies.
    mutating func grow(toEntries entries: Int) {
        let rounded = FrequencySketch.roundedUp(entries)
        guard rounded > entryCount else { return }
        let larger = UnsafeMutablePointer<UInt64>.allocate(capacity: rounded)
        for start in stride(from: 0, to: rounded, by: entryCount) {
            (larger + start).initialize(from: words, count: entryCount)
        }
        words.deallocate()
        words = larger
        entryCount = rounded
        blockMask = UInt64(rounded / FrequencySketch.wordsPerBlock - 1)
        period = FrequencySketch.periodFactor * rounded
    }

    /// Halves every counter, so that what was popular once makes way.
    private mutating func age() {
        for index in 0..<entryCount {
            words[index] = (words[index] >> 1) & FrequencySketch.sevenInEach
        }
        additions /= 2
    }

    private static func roundedUp(_ entries: Int) -> Int {
        var rounded = leastEntryCount
        while rounded < entries { rounded *= 2 }
        return rounded
    }

    /// Where the four counters of a key are: two words of its block for each row, of which one bit
    /// of the hash chooses.
    private struct Place {
        let firstWord: Int
        private let choices: UInt64

        init(_ hash: UInt64, _ blockMask: UInt64) {
            // The table of the shard uses the same hash, so its bits are mixed once more.
            var mixed = hash &* 0x9E37_79B9_7F4A_7C15
            mixed ^= mixed >> 32
            firstWord = Int(truncatingIfNeeded: mixed & blockMask) * FrequencySketch.wordsPerBlock
            choices = (mixed &* 0xD6E8_FEB8_6659_FD93) >> 24
        }

        @inline(__always)
        func counter(_ row: Int) -> (word: Int, shift: UInt64) {
            // Masking shifts: the others look whether the distance is in range.
            let bits = choices &>> UInt64(truncatingIfNeeded: row &* 8)
            let word = firstWord &+ row &* 2 &+ Int(truncatingIfNeeded: bits & 1)
            return (word, ((bits &>> 1) & 15) &<< 2)
        }
    }
}
