import Primitives
import SQLite

/// Tells which group of the answer a row of a rollup belongs to. Belongs to its connection's thread.
///
/// Rows come in the order of their buckets, and in each bucket there are mostly the same keys. So
/// within a bucket of the answer a key is read once and then known by its bytes.
struct RollupPlaces {
    private(set) var reader: RollupRowReader
    private var finder: BucketFinder?
    private let tally: ScanTally
    private let readsGroups: Bool
    private var known = KeyTable()
    /// By the number of a known key: its group, or -1 where its rows do not count.
    private var groups: [Int] = []
    /// The bucket of the answer that known keys are of, and the bucket of the row before.
    private var bucket = Int64.min
    private var start = Int64.min
    /// Another bucket of the rollup lay in the same one of the answer.
    private var isRepeating = false

    /// Of known keys, which are forgotten beyond it.
    private static let limitBytes = 8 << 20

    /// - Parameter finder: nil where the answer has no buckets.
    init(_ reader: RollupRowReader, _ finder: BucketFinder?, _ tally: ScanTally) {
        self.reader = reader
        self.finder = finder
        self.tally = tally
        readsGroups = reader.readsGroups
    }

    /// - Parameters:
    ///   - start: of the row's bucket.
    ///   - key: of the row; valid for the call.
    /// - Returns: nil where the row does not count.
    mutating func group(_ start: Int64, key: UnsafeRawBufferPointer) throws(SQLiteError) -> Int? {
        if start != self.start { move(to: start) }
        guard readsGroups else {
            if groups.isEmpty { groups.append(tally.group(bucket: bucket, values: [])) }
            return groups[0]
        }
        // Where each bucket of the rollup is one of the answer no key comes twice.
        guard finder == nil || isRepeating else { return try read(key) }
        if known.byteCount > Self.limitBytes { forget() }
        let number = known.number(of: key)
        if number == groups.count { groups.append(try read(key) ?? -1) }
        return groups[number] < 0 ? nil : groups[number]
    }

    private mutating func move(to start: Int64) {
        self.start = start
        let found = finder?.start(of: start) ?? 0
        isRepeating = found == bucket
        guard !isRepeating else { return }
        bucket = found
        forget()
    }

    private mutating func forget() {
        if known.count > 0 { known = KeyTable() }
        groups.removeAll(keepingCapacity: true)
    }

    private mutating func read(_ key: UnsafeRawBufferPointer) throws(SQLiteError) -> Int? {
        guard try reader.holds(key) else { return nil }
        return tally.group(bucket: bucket, values: reader.groups)
    }
}
