import Primitives

/// The buckets of time that the rows of an answer stand for.
///
/// Buckets of up to 12 hours begin at multiples of their width in UTC. Days, weeks and months begin
/// with midnights of a zone; where its clocks change a day has 23 or 25 hours (or 23.5).
package struct QueryBuckets: Sendable {
    let interval: QueryInterval
    let zone: TimeZoneRules

    /// A range may touch this many: a minute's buckets for 69 days, days for 273 years. At 100,000
    /// the list of starts takes about 1.5 MiB.
    static let limit = 100_000

    /// The bucket that `time` lies in, milliseconds since 1970. O(log n) in the zone's changes;
    /// neighbours mostly share one, so keep it.
    func bucket(of time: Int64) -> Range<Int64> {
        guard interval.followsCalendar else {
            let start = floor(time, to: interval.widthMilliseconds)
            return start..<start + interval.widthMilliseconds
        }
        let second = floor(time, to: 1000) / 1000
        var day = Int(floor(second + zone.span(at: second).offset, to: 86400) / 86400)
        // Where clocks went back over midnight, the clock shows yesterday's date again.
        while start(ofDay: day) > time { day -= 1 }
        while start(ofDay: day + 1) <= time { day += 1 }
        var first = firstDay(day)
        var next = nextDay(after: first)
        // A day that a zone skipped (Samoa, 2011-12-30) would start with its successor.
        while start(ofDay: next) <= time { (first, next) = (next, nextDay(after: next)) }
        return start(ofDay: first)..<start(ofDay: next)
    }

    /// Each bucket's start, ascending, for the buckets that `[from, to)` touches. O(n); the days of
    /// 273 years take 2 ms.
    /// - Throws: `too_many_buckets`, before anything is computed.
    func starts(from: Int64, to: Int64) throws(QueryError) -> [Int64] {
        try check(from: from, to: to)
        var start = bucket(of: from).lowerBound
        guard interval.followsCalendar else {
            return Array(stride(from: start, to: to, by: Int(interval.widthMilliseconds)))
        }
        let second = floor(start, to: 1000) / 1000
        var day = firstDay(Int(floor(second + zone.span(at: second).offset, to: 86400) / 86400))
        var span = zone.spanBefore(Int64(day) * 86400)
        var starts: [Int64] = []
        while start < to {
            // A day that a zone skipped would start with its successor.
            if starts.last != start { starts.append(start) }
            day = nextDay(after: day)
            start = zone.firstMoment(showing: Int64(day) * 86400, from: &span) * 1000
        }
        return starts
    }

    /// - Throws: `too_many_buckets`.
    func check(from: Int64, to: Int64) throws(QueryError) {
        guard (to - from) / interval.widthMilliseconds < QueryBuckets.limit - 2 else {
            throw QueryError(
                .badRequest, code: "too_many_buckets",
                "interval must be wider or the range shorter: at most \(QueryBuckets.limit) buckets",
                parameter: "interval")
        }
    }

    private func start(ofDay day: Int) -> Int64 {
        zone.firstMoment(showing: Int64(day) * 86400) * 1000
    }

    /// The day with which the week or month begins that `day` lies in; days count from 1970-01-01.
    private func firstDay(_ day: Int) -> Int {
        switch interval {
        // 1970-01-01 was a Thursday; the double remainder holds before 1970 as well.
        case .week: return day - ((day + 3) % 7 + 7) % 7
        case .month:
            let date = Timestamp.civil(daysSinceEpoch: day)
            return Timestamp.daysSinceEpoch(year: date.year, month: date.month, day: 1)
        default: return day
        }
    }

    private func nextDay(after first: Int) -> Int {
        switch interval {
        case .week: return first + 7
        case .month:
            let date = Timestamp.civil(daysSinceEpoch: first)
            return date.month == 12
                ? Timestamp.daysSinceEpoch(year: date.year + 1, month: 1, day: 1)
                : Timestamp.daysSinceEpoch(year: date.year, month: date.month + 1, day: 1)
        default: return first + 1
        }
    }
}
