import Primitives
import SQLite

/// Rows gathered into groups: the result of scanning one part of the rows, and, once the others have
/// been absorbed, of all. One thread at a time.
final class ScanTally {
    let layout: ScanLayout
    let hasBuckets: Bool
    /// Keys are the bucket's start and the values of the groups; types and sources stand there as
    /// their numbers.
    let keys = KeyTable()
    private(set) var counts = GrowingArray<Int64>()
    /// For each group, bit `n` says that value `n` of its key was a real each time, although it is
    /// a whole number.
    private var reals = GrowingArray<UInt8>()
    let accumulators: [Accumulator]
    private var key = ByteBuffer(capacity: 256)

    init(_ layout: ScanLayout, hasBuckets: Bool, isKept: Bool = false) {
        self.layout = layout
        self.hasBuckets = hasBuckets
        accumulators = layout.feeds.map {
            isKept
                ? KeptAccumulator()
                : Accumulator.make($0.function, isSketched: layout.isSketched)
        }
        // Without keys there is one group, and it is there without rows as well.
        if !hasBuckets, layout.groups.isEmpty { _ = group(of: key.span, reals: 0) }
    }

    var count: Int { keys.count }
    /// Memory in use.
    var byteCount: Int {
        accumulators.reduce(keys.byteCount + counts.byteCount + reals.byteCount) {
            $0 + $1.byteCount
        }
    }

    /// Adds the row.
    func add(_ row: ScanRow, bucket: Int64) throws(SQLiteError) {
        let group = try group(of: row, bucket: bucket)
        counts[group] &+= 1
        for (index, feed) in layout.feeds.enumerated() {
            accumulators[index].add(try row.value(feed.reading), to: group)
        }
    }

    /// Adds `rows` rows of which nothing else is asked than how many they are.
    func add(rows: Int64, bucket: Int64) {
        key.removeAll()
        if hasBuckets { _ = ValueKey.append(.integer(bucket), to: &key) }
        counts[group(of: key.span, reals: 0)] &+= rows
    }

    /// The group of rows with these values, types and sources as their numbers.
    func group(bucket: Int64, values: [QueryValue]) -> Int {
        guard hasBuckets || !layout.groups.isEmpty else { return 0 }
        key.removeAll()
        if hasBuckets { _ = ValueKey.append(.integer(bucket), to: &key) }
        var reals: UInt8 = 0
        for (index, value) in values.enumerated() where ValueKey.append(value, to: &key) {
            reals |= 1 << UInt8(index)
        }
        return group(of: key.span, reals: reals)
    }

    /// Adds to how many rows a group has.
    func add(rows: Int64, to group: Int) { counts[group] &+= rows }

    private func group(of row: ScanRow, bucket: Int64) throws(SQLiteError) -> Int {
        guard hasBuckets || !layout.groups.isEmpty else { return 0 }
        key.removeAll()
        if hasBuckets { _ = ValueKey.append(.integer(bucket), to: &key) }
        var reals: UInt8 = 0
        for (index, reading) in layout.groups.enumerated() {
            let value: QueryValue =
                switch reading {
                case .type: .integer(row.typeID)
                case .source: .integer(row.sourceID)
                default: try row.value(reading)
                }
            if ValueKey.append(value, to: &key) { reals |= 1 << UInt8(index) }
        }
        return group(of: key.span, reals: reals)
    }

    private func group(of key: UnsafeRawBufferPointer, reals mask: UInt8) -> Int {
        let number = keys.number(of: key)
        if number == counts.count {
            counts.append(0)
            reals.append(mask)
            for accumulator in accumulators { accumulator.extend(to: number + 1) }
        } else if reals[number] != 0 {
            reals[number] &= mask
        }
        return number
    }

    /// Adds the groups of another part of the rows.
    func absorb(_ other: ScanTally, _ bounds: ScanBounds) throws(ScanFailure) {
        var numbers: [Int] = []
        numbers.reserveCapacity(other.count)
        for index in 0..<other.count {
            try bounds.look(at: index)
            let number = group(of: other.keys.key(index), reals: other.reals[index])
            counts[number] &+= other.counts[index]
            numbers.append(number)
        }
        for (mine, theirs) in zip(accumulators, other.accumulators) {
            try mine.absorb(theirs, numbers: numbers, bounds)
        }
    }

    /// A group as it came out of another tally: nothing is added to it.
    /// - Parameter rest: its key without the bucket.
    /// - Returns: its number.
    func restore(
        bucket: Int64, rest: UnsafeRawBufferPointer, reals mask: UInt8, count: Int64
    ) -> Int {
        key.removeAll()
        if hasBuckets { _ = ValueKey.append(.integer(bucket), to: &key) }
        key.append(rest)
        let group = group(of: key.span, reals: mask)
        counts[group] = count
        return group
    }

    // MARK: Reading

    /// The start of the group's bucket.
    func bucket(_ group: Int) -> Int64 {
        var offset = 0
        guard hasBuckets, case .integer(let start) = ValueKey.take(keys.key(group), &offset) else {
            return 0
        }
        return start
    }

    /// What of the group's key follows the bucket.
    func rest(_ group: Int) -> UnsafeRawBufferPointer {
        let key = keys.key(group)
        var offset = 0
        if hasBuckets { _ = ValueKey.take(key, &offset) }
        return UnsafeRawBufferPointer(rebasing: key[offset...])
    }

    /// Value number `index` among the groups of the key, types and sources as their numbers.
    func groupValue(_ group: Int, _ index: Int) -> QueryValue {
        let key = keys.key(group)
        var offset = 0
        if hasBuckets { _ = ValueKey.take(key, &offset) }
        for _ in 0..<index { _ = ValueKey.take(key, &offset) }
        let value = ValueKey.take(key, &offset)
        if case .integer(let whole) = value, reals[group] & 1 << UInt8(index) != 0 {
            return .real(Double(whole))
        }
        return value
    }

    /// Which values of the group's key were sent as reals although they are whole numbers.
    func realMask(_ group: Int) -> UInt8 { reals[group] }

    /// The value of metric number `index`.
    func metricValue(_ group: Int, _ index: Int) -> QueryValue {
        guard let (feed, function) = layout.metrics[index] else { return .integer(counts[group]) }
        return accumulators[feed].value(function, of: group)
    }
}
