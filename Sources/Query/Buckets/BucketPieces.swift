import Cache
import Primitives
import SQLite
import Storage

/// The buckets that a plan's range touches, with the present generations of each.
struct BucketPieces {
    /// One bucket, as far as the range covers it.
    struct Piece {
        /// Of the bucket; before `from` if the range begins within it.
        var start: Int64
        var from: Int64
        var to: Int64
        var stamp: GenerationStamp

        /// No event of the types was ever in its minutes.
        var isEmpty: Bool { stamp.count == 0 }
    }

    let pieces: [Piece]
    /// Where an open range goes on after the last piece, and whether there were ever events.
    let tail: (from: Int64, isEmpty: Bool)?

    /// With more buckets than this, looking them up costs as much as computing them.
    static let limit = 20_000

    /// - Returns: nil if the plan has too few buckets, or too many, to keep single ones.
    init?(_ plan: QueryPlan, _ connection: Connection) throws(SQLiteError) {
        guard let buckets = plan.buckets, plan.request.cursor == nil else { return nil }
        var end = plan.to
        if plan.isOpen { end = buckets.bucket(of: max(plan.from, plan.now)).upperBound }
        guard let starts = try? buckets.starts(from: plan.from, to: end),
            (2...BucketPieces.limit).contains(starts.count)
        else { return nil }
        var pieces: [Piece] = []
        pieces.reserveCapacity(starts.count)
        for (index, start) in starts.enumerated() {
            let next = index + 1 < starts.count ? starts[index + 1] : end
            pieces.append(
                Piece(
                    start: start, from: max(start, plan.from), to: min(next, end),
                    stamp: GenerationStamp(count: 0, setHash: 0)))
        }
        try BucketPieces.stamp(&pieces, plan, connection)
        self.pieces = pieces
        guard plan.isOpen else {
            tail = nil
            return
        }
        let later = try Generations.state(
            connection, types: plan.request.types, from: end, to: nil)
        tail = (end, later.count == 0)
    }

    /// Gives each piece the generations of the minutes that it touches. A minute that two buckets
    /// share, where a zone is off by seconds, counts for both.
    private static func stamp(
        _ pieces: inout [Piece], _ plan: QueryPlan, _ connection: Connection
    ) throws(SQLiteError) {
        guard let first = pieces.first?.from, let last = pieces.last?.to else { return }
        let minutes = try Generations.minutes(
            connection, types: plan.request.types, from: first, to: last)
        var place = 0
        for index in pieces.indices {
            let range = pieces[index].from..<pieces[index].to
            let firstMinute = Generations.minute(of: range.lowerBound)
            let lastMinute = Generations.minute(of: range.upperBound - 1)
            while place > 0, minutes[place - 1].minute >= firstMinute { place -= 1 }
            while place < minutes.count, minutes[place].minute < firstMinute { place += 1 }
            while place < minutes.count, minutes[place].minute <= lastMinute {
                pieces[index].stamp.count &+= minutes[place].count
                pieces[index].stamp.setHash &+= minutes[place].setHash
                place += 1
            }
        }
    }
}
