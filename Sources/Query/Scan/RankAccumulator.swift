import Primitives

/// `p50` to `p99`, exactly: the smallest number of the group that at least so many percent of its
/// numbers do not exceed (the nearest rank). It is one of the numbers that were sent, with its kind.
///
/// Every number is kept, 12 bytes each, and sorted by group at the end, 8 bytes more.
final class RankAccumulator: Accumulator {
    /// The bit of `owners` that tells a real from an integer.
    private static let realFlag: UInt32 = 1 << 31

    private var owners = GrowingArray<UInt32>()
    private var words = GrowingArray<UInt64>()
    private var groups = 0
    /// After `finish`: each group's numbers, integers first, sorted; where they start; and how many
    /// of them are integers.
    private var sorted = GrowingArray<UInt64>()
    private var starts: [Int] = []
    private var integers: [Int] = []

    override func extend(to count: Int) { groups = max(groups, count) }
    override var byteCount: Int {
        // With what `finish` makes: of numbers, and of groups.
        owners.byteCount + words.byteCount * 2 + groups * 32
    }

    override func add(_ value: QueryValue, to group: Int) {
        switch value {
        case .integer(let number):
            owners.append(UInt32(truncatingIfNeeded: group))
            words.append(RankAccumulator.word(number))
        case .real(let number):
            owners.append(UInt32(truncatingIfNeeded: group) | RankAccumulator.realFlag)
            words.append(RankAccumulator.word(number))
        default: return
        }
    }

    override func absorb(
        _ other: Accumulator, numbers: [Int], _ bounds: ScanBounds
    ) throws(ScanFailure) {
        guard let other = other as? RankAccumulator else { return }
        for index in 0..<other.owners.count {
            try bounds.look(at: index)
            let owner = other.owners[index]
            let number = numbers[Int(owner & ~RankAccumulator.realFlag)]
            owners.append(
                UInt32(truncatingIfNeeded: number) | (owner & RankAccumulator.realFlag))
            words.append(other.words[index])
        }
    }

    /// A counting sort by group and kind, then each part by value.
    override func finish(_ bounds: ScanBounds) throws(ScanFailure) {
        var places = [Int](repeating: 0, count: groups * 2 + 1)
        for index in 0..<owners.count {
            try bounds.look(at: index)
            places[part(index) + 1] += 1
        }
        for index in 1..<places.count { places[index] += places[index - 1] }
        starts = (0...groups).map { places[$0 * 2] }
        integers = (0..<groups).map { places[$0 * 2 + 1] - places[$0 * 2] }
        sorted.extend(to: owners.count, 0)
        for index in 0..<owners.count {
            try bounds.look(at: index)
            let part = part(index)
            sorted[places[part]] = words[index]
            places[part] += 1
        }
        for group in 0..<groups {
            try bounds.look(at: group)
            try sort(group, bounds)
        }
    }

    private func part(_ index: Int) -> Int {
        let owner = owners[index]
        let isReal = owner & RankAccumulator.realFlag != 0
        return Int(owner & ~RankAccumulator.realFlag) * 2 + (isReal ? 1 : 0)
    }

    /// The words have been copied to `sorted`, so their room is free.
    private func sort(_ group: Int, _ bounds: ScanBounds) throws(ScanFailure) {
        let reals = starts[group] + integers[group]
        for range in [starts[group]..<reals, reals..<starts[group + 1]] {
            let numbers = UnsafeMutableBufferPointer(rebasing: sorted.buffer[range])
            let room = UnsafeMutableBufferPointer(rebasing: words.buffer[range])
            try MergeSort(bounds, runLength: 4096).sort(numbers, room) { $0 < $1 }
        }
    }

    // Numbers as words that have the same order. A negative double's bits grow as it falls.
    private static func word(_ number: Int64) -> UInt64 {
        UInt64(bitPattern: number) ^ (1 << 63)
    }
    private static func word(_ number: Double) -> UInt64 {
        let bits = number.bitPattern
        return bits >> 63 == 0 ? bits | 1 << 63 : ~bits
    }
    private func integer(_ index: Int) -> Int64 { Int64(bitPattern: sorted[index] ^ (1 << 63)) }
    private func real(_ index: Int) -> Double {
        let word = sorted[index]
        return Double(bitPattern: word >> 63 == 1 ? word & ~(1 << 63) : ~word)
    }

    override func value(_ function: QueryMetric.Function, of group: Int) -> QueryValue {
        let count = starts[group + 1] - starts[group]
        guard let percent = function.percent, count > 0 else { return .null }
        var rank = (count * percent + 99) / 100
        // Walks both sorted parts at once; where one is empty the rank is the place.
        var (low, high) = (starts[group], starts[group] + integers[group])
        let (lowEnd, highEnd) = (high, starts[group + 1])
        if high == highEnd { return .integer(integer(low + rank - 1)) }
        if low == lowEnd { return .real(real(high + rank - 1)) }
        while true {
            let isReal =
                low == lowEnd
                || high < highEnd && QueryValue.compare(integer(low), real(high)) > 0
            rank -= 1
            if rank == 0 { return isReal ? .real(real(high)) : .integer(integer(low)) }
            if isReal { high += 1 } else { low += 1 }
        }
    }
}
