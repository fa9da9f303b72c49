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
    func absorb(_ other: Accumulator, numbers: [Int]) { preconditionFailure("abstract") }
    /// The value of a metric for `group`. Bytes live as long as the accumulator is left alone.
    func value(_ function: QueryMetric.Function, of group: Int) -> QueryValue {
        preconditionFailure("abstract")
    }
    /// Called once, after the last row and before the first `value`.
    func finish() {}
    /// Memory in use.
    var byteCount: Int { 0 }

    /// The accumulator for `function`.
    static func make(_ function: QueryMetric.Function) -> Accumulator {
        switch function {
        case .sum, .avg: NumberAccumulator()
        case .min: ExtremeAccumulator(isGreatest: false)
        case .max: ExtremeAccumulator(isGreatest: true)
        case .uniq: DistinctAccumulator()
        case .p50, .p90, .p95, .p99: RankAccumulator()
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
}

/// `sum` and `avg`. Integers are summed exactly, in 128 bits; reals with their rounding errors
/// (Neumaier, "Rundungsfehleranalyse einiger Verfahren zur Summation endlicher Summen", 1974).
final class NumberAccumulator: Accumulator {
    private struct State: BitwiseCopyable {
        var integers: Int128 = 0
        var real = 0.0
        var correction = 0.0
        var count: Int64 = 0
        var reals: Int64 = 0

        mutating func add(_ value: Double) {
            let sum = real + value
            correction += abs(real) >= abs(value) ? (real - sum) + value : (value - sum) + real
            real = sum
        }

        /// The sum of everything as a real. Beyond the largest one the correction is no number.
        var total: Double {
            let whole = Double(integers)
            guard reals > 0 else { return whole }
            return real.isFinite ? whole + real + correction : real
        }
    }

    private var states = GrowingArray<State>()

    override func extend(to count: Int) { states.extend(to: count, State()) }
    override var byteCount: Int { states.byteCount }

    override func add(_ value: QueryValue, to group: Int) {
        let state = states.pointer(group)
        switch value {
        case .integer(let number):
            state.pointee.integers &+= Int128(number)
            state.pointee.count &+= 1
        case .real(let number):
            state.pointee.add(number)
            state.pointee.count &+= 1
            state.pointee.reals &+= 1
        default: return
        }
    }

    override func absorb(_ other: Accumulator, numbers: [Int]) {
        guard let other = other as? NumberAccumulator else { return }
        for (group, number) in numbers.enumerated() {
            let state = states.pointer(number)
            let added = other.states[group]
            state.pointee.integers &+= added.integers
            state.pointee.count &+= added.count
            state.pointee.reals &+= added.reals
            guard added.reals > 0 else { continue }
            state.pointee.add(added.real)
            state.pointee.correction += added.correction
        }
    }

    override func value(_ function: QueryMetric.Function, of group: Int) -> QueryValue {
        let state = states[group]
        guard state.count > 0 else { return .null }
        if function == .avg { return .real(state.total / Double(state.count)) }
        if state.reals == 0, let sum = Int64(exactly: state.integers) { return .integer(sum) }
        return .real(state.total)
    }
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

    override func absorb(_ other: Accumulator, numbers: [Int]) {
        guard let other = other as? DistinctAccumulator else { return }
        for index in 0..<other.seen.count {
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
