import Primitives

/// `min` or `max`. Numbers count where there are any, so that one `"n/a"` among them is not the
/// greatest; text counts where there is nothing else. Booleans, objects and arrays have no order.
final class ExtremeAccumulator: Accumulator {
    private struct State: BitwiseCopyable {
        enum Kind: UInt8, BitwiseCopyable { case none, integer, real, text }

        var kind = Kind.none
        /// An integer, the bits of a real, or where text starts in the arena.
        var word: Int64 = 0
        /// Bytes of text, and how many there is room for.
        var count: Int32 = 0
        var capacity: Int32 = 0
    }

    private let isGreatest: Bool
    private var states = GrowingArray<State>()
    private var arena = ByteBuffer(capacity: 256)

    init(isGreatest: Bool) { self.isGreatest = isGreatest }

    override func extend(to count: Int) { states.extend(to: count, State()) }
    override var byteCount: Int { states.byteCount + arena.capacity }

    override func add(_ value: QueryValue, to group: Int) {
        let state = states.pointer(group)
        switch value {
        case .integer(let number):
            guard state.pointee.kind == .none || isBetter(value, group) else { return }
            state.pointee.kind = .integer
            state.pointee.word = number
        case .real(let number):
            guard state.pointee.kind == .none || isBetter(value, group) else { return }
            state.pointee.kind = .real
            state.pointee.word = Int64(bitPattern: number.bitPattern)
        case .text(let text):
            guard state.pointee.kind == .none || isBetter(value, group) else { return }
            keep(text, in: state)
        case .null, .boolean, .json: return
        }
    }

    private func isBetter(_ value: QueryValue, _ group: Int) -> Bool {
        let isText = if case .text = value { true } else { false }
        let hasText = states[group].kind == .text
        if isText != hasText { return hasText }
        let order = QueryValue.compare(value, current(group))
        // Of equal numbers the integer, whichever comes first.
        if order == 0 { return isInteger(value) && states[group].kind == .real }
        return isGreatest ? order > 0 : order < 0
    }

    private func isInteger(_ value: QueryValue) -> Bool {
        if case .integer = value { true } else { false }
    }

    /// Room is used again, so that a falling or rising series of texts does not pile up.
    private func keep(_ text: UnsafeRawBufferPointer, in state: UnsafeMutablePointer<State>) {
        if state.pointee.kind == .text, text.count <= Int(state.pointee.capacity) {
            let start = Int(state.pointee.word)
            UnsafeMutableRawBufferPointer(start: arena.base + start, count: text.count)
                .copyMemory(from: text)
        } else {
            state.pointee.word = Int64(arena.count)
            state.pointee.capacity = Int32(truncatingIfNeeded: text.count)
            arena.append(text)
        }
        state.pointee.kind = .text
        state.pointee.count = Int32(truncatingIfNeeded: text.count)
    }

    private func current(_ group: Int) -> QueryValue {
        let state = states[group]
        switch state.kind {
        case .none: return .null
        case .integer: return .integer(state.word)
        case .real: return .real(Double(bitPattern: UInt64(bitPattern: state.word)))
        case .text:
            let start = Int(state.word)
            return .text(
                UnsafeRawBufferPointer(rebasing: arena.span[start..<start + Int(state.count)]))
        }
    }

    override func absorb(
        _ other: Accumulator, numbers: [Int], _ bounds: ScanBounds
    ) throws(ScanFailure) {
        guard let other = other as? ExtremeAccumulator else { return }
        for (group, number) in numbers.enumerated() {
            try bounds.look(at: group)
            add(other.current(group), to: number)
        }
    }

    override func value(_ function: QueryMetric.Function, of group: Int) -> QueryValue {
        current(group)
    }

    // MARK: Kept in a rollup

    override func write(_ group: Int, to bytes: inout ByteBuffer) {
        let value = current(group)
        bytes.append(states[group].kind.rawValue)
        switch value {
        case .integer, .real: bytes.append(littleEndian: UInt64(bitPattern: states[group].word))
        case .text(let text):
            bytes.append(varint: UInt64(text.count))
            bytes.append(text)
        default: return
        }
    }

    override func merge(_ bytes: inout ByteReader, into group: Int) {
        switch State.Kind(rawValue: bytes.byte()) {
        case .integer: add(.integer(Int64(bitPattern: bytes.word())), to: group)
        case .real: add(.real(Double(bitPattern: bytes.word())), to: group)
        case .text: add(.text(bytes.take(bytes.count())), to: group)
        case .some(.none), nil: return
        }
    }

    /// What is left is known as long as the extreme itself stays.
    override func subtract(_ other: Accumulator, from source: Int, to group: Int) -> Bool {
        guard let other = other as? ExtremeAccumulator else { return false }
        let gone = other.current(source)
        if case .null = gone { return true }
        let wasText = other.states[source].kind == .text
        if wasText != (states[group].kind == .text) { return wasText }
        guard QueryValue.compare(gone, current(group)) == 0 else { return true }
        states.pointer(group).pointee = State()
        return false
    }
}
