internal import Glibc
import Primitives

/// Percentiles within 1 % of the true value, from counts of numbers in bins that grow by 2 %:
/// DDSketch.
///
/// C. Masson, J. Rim, H. Lee, "DDSketch: a fast and fully-mergeable quantile sketch with
/// relative-error guarantees", VLDB 2019. Bin i holds the magnitudes in (γ^(i-1), γ^i], γ = (1 + α)
/// / (1 - α), and stands for 2γ^i / (γ + 1), which is within α of each of them. Counts add up and
/// can be taken away, so a sketch says the same in whatever order its numbers came. Of each sign
/// 4,096 bins are kept, those of the greatest magnitudes; what is smaller than 10^-35 of the
/// greatest counts as the smallest bin.
///
/// Counts of a damaged file may be anything, so they wrap around where they are added.
struct RankSketch {
    /// α: the error of a percentile as a share of the true one.
    static let relativeError = 0.01
    private static let gamma = (1 + relativeError) / (1 - relativeError)
    private static let scale = 1 / log(gamma)

    private var zeros: Int64 = 0
    private var positive = RankBins()
    private var negative = RankBins()

    var isEmpty: Bool { zeros == 0 && positive.isEmpty && negative.isEmpty }
    /// Bins were merged, so that what is taken away may have been in another.
    var isCollapsed: Bool { positive.isCollapsed || negative.isCollapsed }
    var byteCount: Int { 96 + positive.byteCount + negative.byteCount }

    mutating func insert(_ value: Double) {
        if value == 0 {
            zeros += 1
        } else if value > 0 {
            positive.add(1, to: Self.bin(value))
        } else {
            negative.add(1, to: Self.bin(-value))
        }
    }

    private static func bin(_ magnitude: Double) -> Int {
        Int((log(min(magnitude, .greatestFiniteMagnitude)) * scale).rounded(.up))
    }

    private static func magnitude(_ bin: Int) -> Double {
        let value = 2 * exp(Double(bin) / scale) / (gamma + 1)
        return value.isFinite ? value : .greatestFiniteMagnitude
    }

    mutating func merge(_ other: RankSketch, sign: Int64 = 1) {
        zeros &+= other.zeros &* sign
        positive.merge(other.positive, sign)
        negative.merge(other.negative, sign)
    }

    /// The value that at least so many percent of the numbers do not exceed; nil without numbers.
    func value(percent: Int) -> Double? {
        let count = zeros &+ positive.total &+ negative.total
        guard count > 0 else { return nil }
        var rank = Int64((Int128(count) * Int128(percent) + 99) / 100)
        if rank <= negative.total {
            // The greatest magnitudes come first.
            return negative.bin(atRank: negative.total - rank + 1).map { -Self.magnitude($0) }
        }
        rank &-= negative.total
        if rank <= zeros { return 0 }
        return positive.bin(atRank: rank &- zeros).map(Self.magnitude)
    }

    func write(to bytes: inout ByteBuffer) {
        bytes.append(varint: UInt64(bitPattern: zeros))
        positive.write(to: &bytes)
        negative.write(to: &bytes)
    }

    mutating func merge(_ bytes: inout ByteReader) {
        zeros &+= Int64(bitPattern: bytes.varint())
        positive.merge(&bytes)
        negative.merge(&bytes)
    }
}

/// Counts of the bins of one sign: a window of at most 4,096 neighbours that ends with the greatest
/// bin.
struct RankBins {
    private static let limit = 4096
    /// Far beyond every double's.
    private static let range = -40_000...40_000

    private var counts: [Int64] = []
    /// The bin of the first count.
    private var first = 0
    private(set) var total: Int64 = 0
    private(set) var isCollapsed = false

    var isEmpty: Bool { total == 0 }
    var byteCount: Int { counts.count * 8 }

    mutating func add(_ count: Int64, to bin: Int) {
        if count == 0 { return }
        total &+= count
        if counts.isEmpty {
            first = bin
            counts = [count]
        } else if bin >= first + counts.count {
            counts += Array(repeating: 0, count: bin - first - counts.count + 1)
            counts[bin - first] &+= count
            collapse()
        } else if bin >= first {
            counts[bin - first] &+= count
        } else {
            let lowest = max(bin, first + counts.count - Self.limit)
            if lowest < first {
                counts = Array(repeating: 0, count: first - lowest) + counts
                first = lowest
            }
            if bin < lowest { isCollapsed = true }
            counts[0] &+= count
        }
    }

    /// What lies below the window counts as its smallest bin.
    private mutating func collapse() {
        let excess = counts.count - Self.limit
        guard excess > 0 else { return }
        let below = counts[..<excess].reduce(0, &+)
        if below != 0 { isCollapsed = true }
        counts.removeFirst(excess)
        first += excess
        counts[0] &+= below
    }

    mutating func merge(_ other: RankBins, _ sign: Int64) {
        isCollapsed = isCollapsed || other.isCollapsed
        for (offset, count) in other.counts.enumerated() {
            add(count &* sign, to: other.first + offset)
        }
    }

    /// The bin of the number that has `rank` - 1 smaller ones.
    func bin(atRank rank: Int64) -> Int? {
        var seen: Int64 = 0
        for (offset, count) in counts.enumerated() {
            seen &+= count
            if seen >= rank { return first + offset }
        }
        return nil
    }

    /// Whether bins were merged, how many have counts, and each one's distance from the one before
    /// it with its count.
    func write(to bytes: inout ByteBuffer) {
        bytes.append(isCollapsed ? 1 : 0)
        bytes.append(varint: UInt64(counts.count { $0 != 0 }))
        var last = 0
        for (offset, count) in counts.enumerated() where count != 0 {
            bytes.append(varint: Int128(first + offset - last))
            bytes.append(varint: UInt64(bitPattern: count))
            last = first + offset
        }
    }

    mutating func merge(_ bytes: inout ByteReader) {
        if bytes.byte() == 1 { isCollapsed = true }
        var bin = 0
        for _ in 0..<bytes.count() {
            bin += Int(truncatingIfNeeded: Int32(truncatingIfNeeded: bytes.wideVarint()))
            let count = Int64(bitPattern: bytes.varint())
            guard Self.range.contains(bin) else { return }
            add(count, to: bin)
        }
    }
}

/// `p50` to `p99` by sketches, one a group.
final class RankSketchAccumulator: Accumulator {
    private var sketches: [RankSketch] = []

    override func extend(to count: Int) {
        while sketches.count < count { sketches.append(RankSketch()) }
    }

    override var byteCount: Int { sketches.reduce(0) { $0 + $1.byteCount } }

    override func add(_ value: QueryValue, to group: Int) {
        switch value {
        case .integer(let number): sketches[group].insert(Double(number))
        case .real(let number): sketches[group].insert(number)
        default: return
        }
    }

    override func absorb(
        _ other: Accumulator, numbers: [Int], _ bounds: ScanBounds
    ) throws(ScanFailure) {
        guard let other = other as? RankSketchAccumulator else { return }
        for (group, number) in numbers.enumerated() {
            if group.isMultiple(of: ScanBounds.interval) { try bounds.look() }
            sketches[number].merge(other.sketches[group])
        }
    }

    override func value(_ function: QueryMetric.Function, of group: Int) -> QueryValue {
        guard let percent = function.percent else { return .null }
        return sketches[group].value(percent: percent).map { .real($0) } ?? .null
    }

    override func write(_ group: Int, to bytes: inout ByteBuffer) {
        sketches[group].write(to: &bytes)
    }

    override func merge(_ bytes: inout ByteReader, into group: Int) {
        sketches[group].merge(&bytes)
    }

    override func subtract(_ other: Accumulator, from source: Int, to group: Int) -> Bool {
        guard let other = other as? RankSketchAccumulator else { return false }
        if other.sketches[source].isEmpty { return true }
        guard !sketches[group].isCollapsed, !other.sketches[source].isCollapsed else {
            sketches[group] = RankSketch()
            return false
        }
        sketches[group].merge(other.sketches[source], sign: -1)
        return true
    }
}
