import Primitives
import SQLite
import Storage

/// The cells of one rollup that transactions change, in memory. The writer's thread.
///
/// A *cell* is one group in one bucket. Its key is the bucket's start, eight bytes, and the values
/// of the fields (`RollupKey`).
final class RollupCells {
    let keys = KeyTable()
    private(set) var counts = GrowingArray<Int64>()
    let accumulators: [Accumulator]
    private let width: Int64
    private let groups: [ScanLayout.Reading]
    private let feeds: [ScanLayout.Reading]
    private var key = ByteBuffer(capacity: 256)
    private var marks = GrowingArray<UInt8>()
    /// Cells that changed since they were written.
    private(set) var changed: [Int] = []

    private static let changedMark: UInt8 = 1
    /// What the file holds of the cell is in it.
    private static let loadedMark: UInt8 = 2

    init(_ rollup: Rollup, _ fields: RollupFields) {
        width = rollup.widthMilliseconds
        groups = rollup.groups.map { fields.reading($0) }
        feeds = rollup.feeds.map { fields.reading($0.field) }
        accumulators = rollup.feeds.map { Accumulator.make($0.function, isSketched: true) }
    }

    /// Memory in use.
    var byteCount: Int {
        accumulators.reduce(keys.byteCount + counts.byteCount + marks.byteCount) {
            $0 + $1.byteCount
        }
    }

    /// Counts the row that `fields` stands on.
    func add(_ time: Int64, _ fields: RollupFields) {
        key.removeAll()
        key.append(littleEndian: UInt64(bitPattern: floor(time, to: width)))
        for reading in groups { RollupKey.append(fields.value(reading), to: &key) }
        if key.count > RollupKey.limitBytes {
            key.truncate(to: 8)
            key.append(RollupKey.other)
        }
        let cell = number(of: key.span)
        counts[cell] &+= 1
        for (index, reading) in feeds.enumerated() {
            accumulators[index].add(fields.value(reading), to: cell)
        }
        noteChange(cell)
    }

    /// The cell of a key, made if there is none.
    func number(of key: UnsafeRawBufferPointer) -> Int {
        let number = keys.number(of: key)
        if number == counts.count {
            counts.append(0)
            marks.append(0)
            for accumulator in accumulators { accumulator.extend(to: number + 1) }
        }
        return number
    }

    /// Where the cell lies. The key is valid until one is added.
    func place(_ cell: Int) -> (bucket: Int64, key: UnsafeRawBufferPointer) {
        let key = keys.key(cell)
        let start = UInt64(littleEndian: key.loadUnaligned(as: UInt64.self))
        return (Int64(bitPattern: start), UnsafeRawBufferPointer(rebasing: key[8...]))
    }

    func noteChange(_ cell: Int) {
        guard marks[cell] & RollupCells.changedMark == 0 else { return }
        marks[cell] |= RollupCells.changedMark
        changed.append(cell)
    }

    func isLoaded(_ cell: Int) -> Bool { marks[cell] & RollupCells.loadedMark != 0 }
    func noteLoaded(_ cell: Int) { marks[cell] |= RollupCells.loadedMark }

    /// The changes are written.
    func settle() {
        for cell in changed { marks[cell] &= ~RollupCells.changedMark }
        changed.removeAll(keepingCapacity: true)
    }

    // MARK: States

    /// Appends the states of all accumulators for `cell`, each behind its length.
    func write(_ cell: Int, to bytes: inout ByteBuffer) {
        for accumulator in accumulators {
            let start = bytes.count
            bytes.append(littleEndian: UInt32(0))
            accumulator.write(cell, to: &bytes)
            bytes.set(littleEndian: UInt32(bytes.count - start - 4), at: start)
        }
    }

    /// Adds a row of the file to `cell`.
    func merge(count: Int64, state: UnsafeRawBufferPointer, into cell: Int) {
        counts[cell] &+= count
        var parts = RollupState(state)
        for accumulator in accumulators {
            var bytes = ByteReader(parts.next())
            accumulator.merge(&bytes, into: cell)
        }
    }

    /// Takes away what `other` has in its cell `source`.
    /// - Returns: false if not all is known of what is left.
    func subtract(_ other: RollupCells, _ source: Int, from cell: Int) -> Bool {
        counts[cell] &-= other.counts[source]
        var isExact = true
        for (mine, theirs) in zip(accumulators, other.accumulators)
        where !mine.subtract(theirs, from: source, to: cell) { isExact = false }
        return isExact
    }
}

/// The states in a rollup's row, one after the other.
struct RollupState {
    private var rest: UnsafeRawBufferPointer

    init(_ bytes: UnsafeRawBufferPointer) { rest = bytes }

    /// Empty past the end.
    mutating func next() -> UnsafeRawBufferPointer {
        guard rest.count >= 4 else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        let count = Int(UInt32(littleEndian: rest.loadUnaligned(as: UInt32.self)))
        let end = min(4 + count, rest.count)
        defer { rest = UnsafeRawBufferPointer(rebasing: rest[end...]) }
        return UnsafeRawBufferPointer(rebasing: rest[4..<end])
    }
}
