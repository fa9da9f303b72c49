import Primitives

/// What is computed of one field for each group; one accumulator serves every metric that can be
/// read from it. Groups are numbered from 0. One thread at a time.
class Accumulator {
    /// Adds a value of a row of `group`. Null is no value.
    func add(_ value: QueryValue, to group: Int) { preconditionFailure("abstract") }
    /// Makes room for `count` groups.
    func extend(to count: Int) { preconditionFailure("abstract") }
    /// Adds what another part of the rows came to.
    /// - Parameter numbers: the number that each of its groups has here.
    /// - Throws: `late`.
    func absorb(
        _ other: Accumulator, numbers: [Int], _ bounds: ScanBounds
    ) throws(ScanFailure) { preconditionFailure("abstract") }
    /// The value of a metric for `group`. Bytes live as long as the accumulator is left alone.
    func value(_ function: QueryMetric.Function, of group: Int) -> QueryValue {
        preconditionFailure("abstract")
    }
    /// Called once, after the last row and before the first `value`.
    /// - Throws: `late`.
    func finish(_ bounds: ScanBounds) throws(ScanFailure) {}
    /// Memory in use.
    var byteCount: Int { 0 }

    // MARK: Kept in a rollup

    /// Appends what `merge` reads: all that is known of `group`.
    func write(_ group: Int, to bytes: inout ByteBuffer) { preconditionFailure("not kept") }
    /// Adds what `write` wrote to `group`.
    func merge(_ bytes: inout ByteReader, into group: Int) { preconditionFailure("not kept") }
    /// Takes from `group` what `other` has of its group `source`.
    /// - Returns: false if what is left cannot be told; nothing is then left of `group`.
    func subtract(_ other: Accumulator, from source: Int, to group: Int) -> Bool {
        preconditionFailure("not kept")
    }

    /// The accumulator for `function`.
    /// - Parameter isSketched: counts of distinct values and percentiles are sketches, which can be
    ///   kept and merged, within a stated error.
    static func make(_ function: QueryMetric.Function, isSketched: Bool = false) -> Accumulator {
        switch function {
        case .sum, .avg: NumberAccumulator()
        case .min: ExtremeAccumulator(isGreatest: false)
        case .max: ExtremeAccumulator(isGreatest: true)
        case .uniq: isSketched ? DistinctSketchAccumulator() : DistinctAccumulator()
        case .p50, .p90, .p95, .p99: isSketched ? RankSketchAccumulator() : RankAccumulator()
        }
    }
}

extension QueryMetric.Function {
    /// Functions with equal families share an accumulator.
    var family: Int {
        switch self {
        case .sum, .avg: 0
        case .min: 1
        case .max: 2
        case .uniq: 3
        case .p50, .p90, .p95, .p99: 4
        }
    }

    /// A rollup keeps a sketch of it, and not the thing itself.
    var isSketchedInRollups: Bool { self == .uniq || percent != nil }
}

/// `uniq`: exactly.
final class DistinctAccumulator: Accumulator {
    /// Keys are a group's number and a value.
    private let seen = KeyTable()
    private var counts = GrowingArray<Int64>()
    private var key = ByteBuffer(capacity: 256)

    override func extend(to count: Int) { counts.extend(to: count, 0) }
    override var byteCount: Int { seen.byteCount + counts.byteCount }

    override func add(_ value: QueryValue, to group: Int) {
        if case .null = value { return }
        key.removeAll()
        key.append(littleEndian: UInt32(truncatingIfNeeded: group))
        _ = ValueKey.append(value, to: &key)
        insert(group)
    }

    private func insert(_ group: Int) {
        let before = seen.count
        _ = seen.number(of: key.span)
        if seen.count > before { counts[group] += 1 }
    }

    override func absorb(
        _ other: Accumulator, numbers: [Int], _ bounds: ScanBounds
    ) throws(ScanFailure) {
        guard let other = other as? DistinctAccumulator else { return }
        for index in 0..<other.seen.count {
            try bounds.look(at: index)
            let bytes = other.seen.key(index)
            let group = UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self))
            let number = numbers[Int(group)]
            key.removeAll()
            key.append(littleEndian: UInt32(truncatingIfNeeded: number))
            key.append(UnsafeRawBufferPointer(rebasing: bytes[4...]))
            insert(number)
        }
    }

    override func value(_ function: QueryMetric.Function, of group: Int) -> QueryValue {
        .integer(counts[group])
    }
}
