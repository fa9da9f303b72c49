import Primitives

/// The buckets of time that a range touches.
///
/// Most buckets lie a fixed width apart, so a row's bucket is arithmetic. Where a zone's clocks
/// change, a day has 23 or 25 hours (or 23.5) and the days behind it start elsewhere: `stretches`
/// says which arithmetic holds from when on.
package struct QueryBuckets: Sendable {
    /// From `start` on (milliseconds since 1970, a bucket's start) up to the next stretch: buckets
    /// of the interval's width, or a single longer one.
    struct Stretch: Hashable, Sendable {
        var start: Int64
        var isSingle: Bool
    }

    let widthMilliseconds: Int64
    /// Ascending; the first one starts at the bucket that holds the range's first moment.
    let stretches: [Stretch]
    /// Each bucket's start, ascending, milliseconds since 1970. Computed where buckets are filled
    /// in; never more than `limit`.
    let starts: [Int64]

    /// A range may touch this many: a minute's buckets for 69 days, days for 273 years. At 100,000
    /// the list of starts takes about 1.5 MiB.
    static let limit = 100_000

    /// - Throws: `too_many_buckets`, before anything is computed. O(n) in the buckets; the days of
    ///   273 years take 2 ms.
    init(from: Int64, to: Int64, interval: QueryInterval, zone: TimeZoneRules) throws(QueryError) {
        let width = interval.widthMilliseconds
        guard (to - from) / width < QueryBuckets.limit - 2 else {
            throw QueryError(
                .badRequest, code: "too_many_buckets",
                "interval must be wider or the range shorter: at most \(QueryBuckets.limit) buckets",
                parameter: "interval")
        }
        widthMilliseconds = width
        guard interval == .day else {
            let first = floor(from, to: width)
            stretches = [Stretch(start: first, isSingle: false)]
            starts = Array(stride(from: first, to: to, by: Int(width)))
            return
        }
        let days = QueryBuckets.days(from: from, to: to, zone: zone)
        starts = Array(days.dropLast())
        stretches = QueryBuckets.stretches(days, width: width)
    }

    /// The start of each local day that the range touches, and of the one behind.
    private static func days(from: Int64, to: Int64, zone: TimeZoneRules) -> [Int64] {
        let second = floor(from, to: 1000) / 1000
        var midnight = floor(second + zone.span(at: second).offset, to: 86400)
        // Where clocks went back over midnight, the clock shows yesterday's date again.
        while zone.firstMoment(showing: midnight) > second { midnight -= 86400 }
        while zone.firstMoment(showing: midnight + 86400) <= second { midnight += 86400 }
        var days: [Int64] = []
        var span = zone.spanBefore(midnight)
        while true {
            let start = zone.firstMoment(showing: midnight, from: &span) * 1000
            // A day that a zone skipped (Samoa, 2011-12-30) would start with its successor.
            if days.last == start { days.removeLast() }
            days.append(start)
            if start >= to { return days }
            midnight += 86400
        }
    }

    /// `days` with the length of each told by its successor.
    private static func stretches(_ days: [Int64], width: Int64) -> [Stretch] {
        var stretches: [Stretch] = []
        var previousFits = false
        for (start, next) in zip(days, days.dropFirst()) {
            let isSingle = next - start > width
            if isSingle || !previousFits {
                stretches.append(Stretch(start: start, isSingle: isSingle))
            }
            previousFits = next - start == width
        }
        return stretches
    }
}

/// The greatest multiple of `step` that is not above `value`.
private func floor(_ value: Int64, to step: Int64) -> Int64 {
    let rest = value % step
    return value - (rest < 0 ? rest + step : rest)
}
