import Primitives

/// `sum` and `avg`. Integers are summed exactly, in 128 bits, and reals exactly as well
/// (`ExactSum`), so that neither the order of the rows nor how they were parted shows, and what was
/// added can be taken away again. A sum is rounded once, when it is read.
final class NumberAccumulator: Accumulator {
    private struct State: BitwiseCopyable {
        var integers: Int128 = 0
        var count: Int64 = 0
        var reals: Int64 = 0
        var sum = ExactSum()
    }

    /// A part of a sum of reals that its state has no room for.
    private struct Spilled: Hashable {
        var group: Int
        var place: UInt8
    }

    private var states = GrowingArray<State>()
    /// Sums over more than some 90 binary orders of magnitude are rare.
    private var spilled: [Spilled: Int128] = [:]
    /// After `finish`: the sum of each group with reals.
    private var totals: [Double] = []

    override func extend(to count: Int) { states.extend(to: count, State()) }
    override var byteCount: Int {
        // With the sums that `finish` makes.
        states.byteCount + states.count * 8 + spilled.count * 64
    }

    override func add(_ value: QueryValue, to group: Int) {
        let state = states.pointer(group)
        switch value {
        case .integer(let number):
            state.pointee.integers &+= Int128(number)
            state.pointee.count &+= 1
        case .real(let number):
            state.pointee.count &+= 1
            state.pointee.reals &+= 1
            add(ExactSum.term(number), to: group)
        default: return
        }
    }

    @inline(__always)
    private func add(_ term: ExactSum.Term, to group: Int) {
        if states.pointer(group).pointee.sum.add(term) { return }
        spilled[Spilled(group: group, place: term.place), default: 0] &+= term.amount
    }

    override func absorb(
        _ other: Accumulator, numbers: [Int], _ bounds: ScanBounds
    ) throws(ScanFailure) {
        guard let other = other as? NumberAccumulator else { return }
        for (group, number) in numbers.enumerated() {
            try bounds.look(at: group)
            combine(other, group, number, sign: 1)
        }
        for (part, amount) in other.spilled {
            add(ExactSum.Term(place: part.place, amount: amount), to: numbers[part.group])
        }
    }

    /// Adds or takes away what `other` has in the state of a group. Sums of a damaged file wrap around.
    private func combine(_ other: NumberAccumulator, _ source: Int, _ group: Int, sign: Int128) {
        let added = other.states[source]
        let state = states.pointer(group)
        state.pointee.integers &+= added.integers &* sign
        state.pointee.count &+= added.count &* Int64(sign)
        state.pointee.reals &+= added.reals &* Int64(sign)
        added.sum.forEach { place, amount in
            add(ExactSum.Term(place: place, amount: amount &* sign), to: group)
        }
    }

    override func finish(_ bounds: ScanBounds) throws(ScanFailure) {
        totals.reserveCapacity(states.count)
        for group in 0..<states.count {
            try bounds.look(at: group)
            totals.append(states[group].reals == 0 ? 0 : total(group))
        }
    }

    /// The sum of everything as the real that is nearest to it; an infinity beyond the doubles.
    private func total(_ group: Int) -> Double {
        let state = states[group]
        return state.reals == 0 ? Double(state.integers) : parts(group).rounded()
    }

    private func parts(_ group: Int) -> ExactSum.Parts {
        let state = states[group]
        var parts = ExactSum.Parts()
        parts.add(integer: state.integers)
        state.sum.forEach { parts.add($1, at: $0) }
        if !spilled.isEmpty {
            for place in 0...ExactSum.lastPlace {
                if let amount = spilled[Spilled(group: group, place: place)] {
                    parts.add(amount, at: place)
                }
            }
        }
        return parts
    }

    override func value(_ function: QueryMetric.Function, of group: Int) -> QueryValue {
        let state = states[group]
        guard state.count > 0 else { return .null }
        if function == .sum, state.reals == 0, let sum = Int64(exactly: state.integers) {
            return .integer(sum)
        }
        let isKnown = state.reals != 0 && group < totals.count
        let total = isKnown ? totals[group] : total(group)
        return .real(function == .avg ? mean(group, of: total) : total)
    }

    /// A sum beyond the doubles may still have a mean among them.
    private func mean(_ group: Int, of total: Double) -> Double {
        let count = Double(states[group].count)
        guard total.isInfinite else { return total / count }
        let scale = ExactSum.Parts.meanScale
        let mean = parts(group).rounded(scale: scale) / count
        // An infinity among the numbers stays one. Otherwise the mean is no greater than the
        // greatest number, but two roundings might say so.
        guard mean.isFinite else { return mean }
        let greatest = Double.greatestFiniteMagnitude
        return max(
            -greatest, min(greatest, Double(sign: .plus, exponent: scale, significand: mean)))
    }

    // MARK: Kept in a rollup

    override func write(_ group: Int, to bytes: inout ByteBuffer) {
        let state = states[group]
        bytes.append(varint: UInt64(bitPattern: state.count))
        bytes.append(varint: UInt64(bitPattern: state.reals))
        bytes.append(varint: state.integers)
        guard state.reals != 0 else { return }
        var parts: [(UInt8, Int128)] = []
        state.sum.forEach { if $1 != 0 { parts.append(($0, $1)) } }
        if !spilled.isEmpty {
            for place in 0...ExactSum.lastPlace {
                if let amount = spilled[Spilled(group: group, place: place)], amount != 0 {
                    parts.append((place, amount))
                }
            }
        }
        bytes.append(varint: UInt64(parts.count))
        for (place, amount) in parts {
            bytes.append(place)
            bytes.append(varint: amount)
        }
    }

    override func merge(_ bytes: inout ByteReader, into group: Int) {
        let state = states.pointer(group)
        state.pointee.count &+= Int64(bitPattern: bytes.varint())
        let reals = Int64(bitPattern: bytes.varint())
        state.pointee.reals &+= reals
        state.pointee.integers &+= bytes.wideVarint()
        guard reals != 0 else { return }
        for _ in 0..<min(bytes.varint(), 128) {
            let place = bytes.byte()
            add(ExactSum.Term(place: place, amount: bytes.wideVarint()), to: group)
        }
    }

    override func subtract(_ other: Accumulator, from source: Int, to group: Int) -> Bool {
        guard let other = other as? NumberAccumulator else { return false }
        combine(other, source, group, sign: -1)
        for (part, amount) in other.spilled where part.group == source {
            add(ExactSum.Term(place: part.place, amount: 0 &- amount), to: group)
        }
        return true
    }
}
