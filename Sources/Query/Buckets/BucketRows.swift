import Primitives

/// The rows of one bucket as bytes: for each group its key without the bucket, which of that are
/// reals, how many events it has, and the value of each metric. In this process only.
enum BucketRows {
    private static let noRows = Bytes([])

    /// The rows of each bucket that `tally` has groups of. Its accumulators have finished.
    /// - Throws: `late`.
    static func write(
        _ tally: ScanTally, _ bounds: ScanBounds
    ) throws(ScanFailure) -> [Int64: Bytes] {
        var groups: [Int64: [Int]] = [:]
        for group in 0..<tally.count {
            try bounds.look(at: group)
            groups[tally.bucket(group), default: []].append(group)
        }
        var rows: [Int64: Bytes] = [:]
        rows.reserveCapacity(groups.count)
        for (start, groups) in groups { rows[start] = try write(groups, of: tally, bounds) }
        return rows
    }

    /// A bucket without rows.
    static var empty: Bytes { noRows }

    private static func write(
        _ groups: [Int], of tally: ScanTally, _ bounds: ScanBounds
    ) throws(ScanFailure) -> Bytes {
        var rows = ByteBuffer(capacity: groups.count * 64)
        for (place, group) in groups.enumerated() {
            if place.isMultiple(of: ScanBounds.interval) { try bounds.look() }
            let rest = tally.rest(group)
            rows.append(littleEndian: UInt32(truncatingIfNeeded: rest.count))
            rows.append(rest)
            rows.append(tally.realMask(group))
            rows.append(littleEndian: UInt64(bitPattern: tally.counts[group]))
            for (index, metric) in tally.layout.metrics.enumerated() where metric != nil {
                ValueKey.append(exactly: tally.metricValue(group, index), to: &rows)
            }
        }
        return Bytes(rows.span)
    }

    /// Adds the rows of the bucket that begins at `start` to a tally of kept ones.
    /// - Throws: `tooLarge`, `late`.
    static func read(
        _ bucket: Bytes, start: Int64, into tally: ScanTally, _ bounds: ScanBounds
    ) throws(ScanFailure) {
        defer { withExtendedLifetime(bucket) {} }
        let rows = bucket.span
        var offset = 0
        var sinceCheck = ScanBounds.interval
        while offset < rows.count {
            if sinceCheck == ScanBounds.interval {
                sinceCheck = 0
                try bounds.look()
                guard bounds.allows(tally.byteCount) else { throw .tooLarge }
            }
            sinceCheck += 1
            let count = Int(
                UInt32(littleEndian: rows.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
            offset += 4
            let rest = UnsafeRawBufferPointer(rebasing: rows[offset..<offset + count])
            offset += count
            let mask = rows[offset]
            offset += 1
            let events = rows.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            offset += 8
            let group = tally.restore(
                bucket: start, rest: rest, reals: mask,
                count: Int64(bitPattern: UInt64(littleEndian: events)))
            for metric in tally.layout.metrics {
                guard let metric else { continue }
                let begin = offset
                _ = ValueKey.take(rows, &offset)
                let kept = tally.accumulators[metric.feed] as? KeptAccumulator
                kept?.set(
                    UnsafeRawBufferPointer(rebasing: rows[begin..<offset]), metric.function,
                    of: group)
            }
        }
    }
}
