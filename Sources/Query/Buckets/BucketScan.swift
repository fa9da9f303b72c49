import Cache
import Primitives
import SQLite

/// Answers a plan with an interval bucket by bucket: those whose events have not changed come from
/// memory, and only the others are computed.
///
/// - All is read in one snapshot: the generations that say which buckets have changed, and the rows
///   of those that have.
/// - Each row of an answer with an interval comes from one bucket, so what is put together is exactly
///   what one scan of the whole range gives, however it is grouped and whatever is computed.
/// - Changed buckets that lie side by side are computed by one scan. Where they are scattered, one
///   scan goes from the first to the last: a scan costs some 50 µs before its first row.
struct BucketScan {
    let scan: QueryScan
    let reuse: BucketReuse

    private static let runLimit = 8

    /// - Returns: nil if the plan is to be scanned as a whole; see `BucketPieces`.
    func run() throws(ScanFailure) -> ScanRows? {
        let pieces: BucketPieces
        do throws(SQLiteError) {
            guard let found = try BucketPieces(scan.plan, scan.connection) else { return nil }
            pieces = found
        } catch { throw .sqlite(error) }
        let bounds = scan.bounds()
        var work = BucketWork(scan.plan, pieces, reuse)
        let tally = ScanTally(ScanLayout(scan.plan), hasBuckets: true, isKept: true)
        var byteCount = 0
        for range in work.runs(limit: BucketScan.runLimit) {
            let (first, last) = (pieces.pieces[range.lowerBound], pieces.pieces[range.upperBound])
            let start = MonotonicTime.now()
            let rows = try compute(from: first.from, to: last.to)
            let cost = MonotonicTime.now().since(start) / Double(range.count)
            byteCount += rows.values.reduce(0) { $0 + $1.count }
            guard bounds.allows(byteCount) else { throw .tooLarge }
            for index in range { work.take(index, rows, cost: cost) }
        }
        for (piece, rows) in zip(pieces.pieces, work.rows) {
            guard let rows else { continue }
            try BucketRows.read(rows, start: piece.start, into: tally, bounds)
        }
        if let tail = pieces.tail, !tail.isEmpty {
            for (start, rows) in try compute(from: tail.from, to: scan.plan.to) {
                try BucketRows.read(rows, start: start, into: tally, bounds)
            }
        }
        reuse.counters.kept.add(work.keptCount)
        reuse.counters.computed.add(work.computedCount)
        return ScanRows(
            scan.plan, tally, types: NameTable("event_types", scan.connection),
            sources: NameTable("event_sources", scan.connection), bounds: bounds)
    }

    /// The rows of each bucket of a part of the range that has some.
    private func compute(from: Int64, to: Int64) throws(ScanFailure) -> [Int64: Bytes] {
        var part = scan
        part.reuse = nil
        part.plan.from = from
        part.plan.to = to
        let tally = try part.gather().tally
        let bounds = part.bounds()
        for accumulator in tally.accumulators { try accumulator.finish(bounds) }
        return try BucketRows.write(tally, bounds)
    }
}

/// Which buckets of a plan are cached, and which are to be computed.
struct BucketWork {
    private let pieces: [BucketPieces.Piece]
    private let reuse: BucketReuse
    private let subject: Bytes
    private let tags: [UInt64]
    /// Of each bucket; nil where there are none, or none yet.
    private(set) var rows: [Bytes?]
    private var isMissing: [Bool]
    private(set) var keptCount = 0
    private(set) var computedCount = 0

    init(_ plan: QueryPlan, _ pieces: BucketPieces, _ reuse: BucketReuse) {
        self.pieces = pieces.pieces
        self.reuse = reuse
        subject = plan.request.bucketSubject(now: plan.now)
        tags = plan.request.typeTags
        rows = Array(repeating: nil, count: pieces.pieces.count)
        isMissing = Array(repeating: false, count: pieces.pieces.count)
        let now = MonotonicTime.now()
        var key = ByteBuffer(capacity: subject.count + 32)
        for (index, piece) in self.pieces.enumerated() where !piece.isEmpty {
            BucketWork.write(piece, subject, to: &key)
            rows[index] = reuse.rows(key.span, piece.stamp, at: now)
            isMissing[index] = rows[index] == nil
        }
        computedCount = isMissing.count { $0 }
        keptCount = isMissing.count - computedCount
    }

    /// How many buckets a question would find, of how many; counts as no use of them.
    static func count(
        _ plan: QueryPlan, _ pieces: BucketPieces, _ reuse: BucketReuse
    ) -> (kept: Int, all: Int) {
        let subject = plan.request.bucketSubject(now: plan.now)
        var key = ByteBuffer(capacity: subject.count + 32)
        var kept = 0
        for piece in pieces.pieces {
            write(piece, subject, to: &key)
            if piece.isEmpty || reuse.has(key.span, piece.stamp) { kept += 1 }
        }
        return (kept, pieces.pieces.count)
    }

    /// Places of buckets to compute, those side by side together, empty ones between them included.
    mutating func runs(limit: Int) -> [ClosedRange<Int>] {
        var runs: [ClosedRange<Int>] = []
        for index in pieces.indices where isMissing[index] {
            if let last = runs.last,
                (last.upperBound + 1..<index).allSatisfy({ pieces[$0].isEmpty })
            {
                runs[runs.count - 1] = last.lowerBound...index
            } else {
                runs.append(index...index)
            }
        }
        guard runs.count > limit, let first = runs.first, let last = runs.last else { return runs }
        let all = first.lowerBound...last.upperBound
        let more = all.count { !isMissing[$0] && !pieces[$0].isEmpty }
        computedCount += more
        keptCount -= more
        return [all]
    }

    /// Adds the rows of a bucket that was computed, and caches them.
    mutating func take(_ index: Int, _ computed: [Int64: Bytes], cost: Duration) {
        let piece = pieces[index]
        let found = computed[piece.start] ?? BucketRows.empty
        rows[index] = found
        guard !piece.isEmpty else { return }
        var key = ByteBuffer(capacity: subject.count + 32)
        BucketWork.write(piece, subject, to: &key)
        reuse.store(key.span, found, piece.stamp, tags: tags, cost: cost)
    }

    private static func write(
        _ piece: BucketPieces.Piece, _ subject: Bytes, to key: inout ByteBuffer
    ) {
        key.removeAll()
        key.append(subject.span)
        key.append(decimal: piece.start)
        key.append(" ")
        key.append(decimal: piece.from)
        key.append(" ")
        key.append(decimal: piece.to)
    }
}
