internal import Glibc
import Primitives

/// How many different values there were, roughly, in at most 4 KiB: HyperLogLog.
///
/// P. Flajolet et al., "HyperLogLog: the analysis of a near-optimal cardinality estimation
/// algorithm", 2007: with m registers the standard error is 1.04 / √m, here 1.6 %. Small and large
/// numbers are estimated by O. Ertl, "New cardinality estimation algorithms for HyperLogLog
/// sketches", 2017, which needs no table of corrections. Sketches merge to what the sketch of all
/// values would be, in any order.
struct DistinctSketch {
    static let precision = 12
    static let registerCount = 1 << precision
    /// Bits of a hash that decide a register's value.
    private static let rankBits = 64 - precision
    /// One standard deviation, as a share of the number.
    static let standardError = 0.01625

    /// Each register's greatest rank; empty while few are set.
    private var registers: [UInt8] = []
    /// Set registers while they are few: the register's number and its rank, sorted.
    private var few: [UInt32] = []
    /// Set registers beyond which all are kept: 1,024 take 3 KiB.
    private static let fewLimit = 1024

    var isEmpty: Bool { registers.isEmpty && few.isEmpty }
    var byteCount: Int { registers.count + few.count * 4 + 64 }

    /// - Parameter hash: 64 evenly spread bits of a value, the same on every node.
    mutating func insert(hash: UInt64) {
        let register = Int(hash >> UInt64(Self.rankBits))
        let rest = hash << UInt64(Self.precision)
        let rank = min(rest.leadingZeroBitCount, Self.rankBits) + 1
        raise(register, to: UInt8(rank))
    }

    private mutating func raise(_ register: Int, to rank: UInt8) {
        guard registers.isEmpty else {
            if registers[register] < rank { registers[register] = rank }
            return
        }
        let place = few.partition(before: UInt32(register) << 8)
        if place < few.count, few[place] >> 8 == UInt32(register) {
            few[place] = max(few[place], UInt32(register) << 8 | UInt32(rank))
            return
        }
        few.insert(UInt32(register) << 8 | UInt32(rank), at: place)
        if few.count > Self.fewLimit { keepAll() }
    }

    private mutating func keepAll() {
        registers = Array(repeating: 0, count: Self.registerCount)
        for entry in few { registers[Int(entry >> 8)] = UInt8(entry & 0xFF) }
        few = []
    }

    mutating func merge(_ other: DistinctSketch) {
        for entry in other.few { raise(Int(entry >> 8), to: UInt8(entry & 0xFF)) }
        for (register, rank) in other.registers.enumerated() where rank > 0 {
            raise(register, to: rank)
        }
    }

    /// The estimated number of different values.
    var estimate: Int64 {
        var counts = [Int](repeating: 0, count: Self.rankBits + 2)
        if registers.isEmpty {
            counts[0] = Self.registerCount - few.count
            for entry in few { counts[min(Int(entry & 0xFF), Self.rankBits + 1)] += 1 }
        } else {
            for rank in registers { counts[min(Int(rank), Self.rankBits + 1)] += 1 }
        }
        let m = Double(Self.registerCount)
        var z = m * Self.tau(1 - Double(counts[Self.rankBits + 1]) / m)
        for rank in stride(from: Self.rankBits, through: 1, by: -1) {
            z = 0.5 * (z + Double(counts[rank]))
        }
        z += m * Self.sigma(Double(counts[0]) / m)
        guard z.isFinite, z > 0 else { return 0 }
        let number = (m * m / (2 * log(2) * z)).rounded()
        // Only a damaged file says that there were so many.
        return Int64(exactly: number) ?? .max
    }

    /// Ertl 2017, equation for registers that are not set.
    private static func sigma(_ x: Double) -> Double {
        if x == 1 { return .infinity }
        var (x, y, z) = (x, 1.0, x)
        while true {
            x *= x
            let before = z
            z += x * y
            y += y
            if z == before { return z }
        }
    }

    /// Ertl 2017, equation for registers that can grow no more.
    private static func tau(_ x: Double) -> Double {
        if x == 0 || x == 1 { return 0 }
        var (x, y, z) = (x, 1.0, 1 - x)
        while true {
            x = x.squareRoot()
            let before = z
            y *= 0.5
            z -= (1 - x) * (1 - x) * y
            if z == before { return z / 3 }
        }
    }

    // MARK: Bytes

    /// A number of entries, 0 for all registers; then those.
    func write(to bytes: inout ByteBuffer) {
        guard registers.isEmpty else {
            bytes.append(1)
            registers.withUnsafeBytes { bytes.append($0) }
            return
        }
        bytes.append(0)
        bytes.append(varint: UInt64(few.count))
        for entry in few {
            bytes.append(littleEndian: UInt16(entry >> 8))
            bytes.append(UInt8(entry & 0xFF))
        }
    }

    mutating func merge(_ bytes: inout ByteReader) {
        if bytes.byte() == 1 {
            for (register, rank) in bytes.take(Self.registerCount).enumerated() where rank > 0 {
                raise(register, to: rank)
            }
            return
        }
        for _ in 0..<bytes.count() {
            let register = Int(bytes.byte()) | Int(bytes.byte()) << 8
            raise(register & (Self.registerCount - 1), to: bytes.byte())
        }
    }
}

extension [UInt32] {
    /// The first place whose element is not below `value`; the array is sorted.
    fileprivate func partition(before value: UInt32) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if self[middle] < value { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

/// `uniq` by sketches, one a group.
final class DistinctSketchAccumulator: Accumulator {
    /// The same on all nodes, for their sketches may be compared.
    private static let hashKey = Key128(high: 0x6D69_6C6C_7261_6365, low: 0x2F75_6E69_712F_3031)

    private var sketches: [DistinctSketch] = []
    private var key = ByteBuffer(capacity: 256)

    override func extend(to count: Int) {
        while sketches.count < count { sketches.append(DistinctSketch()) }
    }

    override var byteCount: Int { sketches.reduce(0) { $0 + $1.byteCount } }

    override func add(_ value: QueryValue, to group: Int) {
        if case .null = value { return }
        key.removeAll()
        _ = ValueKey.append(value, to: &key)
        let hash = Key128(hashing: key.span, key: Self.hashKey).low
        sketches[group].insert(hash: hash)
    }

    override func absorb(
        _ other: Accumulator, numbers: [Int], _ bounds: ScanBounds
    ) throws(ScanFailure) {
        guard let other = other as? DistinctSketchAccumulator else { return }
        for (group, number) in numbers.enumerated() {
            if group.isMultiple(of: ScanBounds.interval) { try bounds.look() }
            sketches[number].merge(other.sketches[group])
        }
    }

    override func value(_ function: QueryMetric.Function, of group: Int) -> QueryValue {
        .integer(sketches[group].estimate)
    }

    override func write(_ group: Int, to bytes: inout ByteBuffer) {
        sketches[group].write(to: &bytes)
    }

    override func merge(_ bytes: inout ByteReader, into group: Int) {
        sketches[group].merge(&bytes)
    }

    /// Nobody knows which values are still there.
    override func subtract(_ other: Accumulator, from source: Int, to group: Int) -> Bool {
        guard let other = other as? DistinctSketchAccumulator else { return false }
        if other.sketches[source].isEmpty { return true }
        sketches[group] = DistinctSketch()
        return false
    }
}
