import Primitives

/// A zone's offsets from UTC, as the IANA database tells them.
package struct TimeZoneRules: Sendable {
    /// A span of UTC in which the offset does not change; all in seconds since 1970.
    struct Span: Sendable {
        /// The first second; `.min` for the earliest span.
        var start: Int64
        /// The second behind the last; `.max` for the latest span.
        var end: Int64
        /// Seconds east of UTC.
        var offset: Int64
    }

    package let name: String
    /// Ascending, seconds since 1970.
    let transitions: [Int64]
    /// `offsets[i]` holds before `transitions[i]`, the last one behind them all unless `rule` says
    /// otherwise: one more than there are transitions.
    let offsets: [Int64]
    /// What holds behind the last transition.
    let rule: PosixTimeZone?

    /// Needs no file, so that it works where the database is not installed.
    package static let utc = TimeZoneRules(
        name: "UTC", transitions: [], offsets: [0], rule: nil)

    /// The span that `second` lies in. O(log n).
    func span(at second: Int64) -> Span {
        let index = transitions.partitioningIndex { $0 > second }
        let start = index == 0 ? .min : transitions[index - 1]
        if index == transitions.count, let rule {
            return Self.span(at: second, rule, after: start)
        }
        let end = index == transitions.count ? .max : transitions[index]
        return Span(start: start, end: end, offset: offsets[index])
    }

    /// The first moment (seconds since 1970) at which a local clock shows `localSecond` or later:
    /// for a midnight that the clocks skip, the moment they skip it; for one that they repeat, the
    /// first of the two. Later local days never start earlier.
    func firstMoment(showing localSecond: Int64) -> Int64 {
        var span = spanBefore(localSecond)
        return firstMoment(showing: localSecond, from: &span)
    }

    /// A span that does not lie behind the first moment at which a clock shows `localSecond`: no
    /// offset reaches 26 hours.
    func spanBefore(_ localSecond: Int64) -> Span { span(at: localSecond - 26 * 3600) }

    /// The same for one who asks for later and later local seconds: the search begins at `span`,
    /// which becomes the answer's. A span is found once, however many days lie in it.
    func firstMoment(showing localSecond: Int64, from span: inout Span) -> Int64 {
        while true {
            let moment = max(span.start, localSecond - span.offset)
            if moment < span.end { return moment }
            span = self.span(at: span.end)
        }
    }

    private static func span(at second: Int64, _ rule: PosixTimeZone, after floor: Int64) -> Span {
        guard rule.summer != nil else {
            return Span(start: floor, end: .max, offset: rule.standardOffset)
        }
        let days = Int((second >= 0 ? second : second - 86399) / 86400)
        let year = Timestamp.civil(daysSinceEpoch: days).year
        var span = Span(start: floor, end: .max, offset: rule.standardOffset)
        for change in (year - 1...year + 1).flatMap({ rule.changes(in: $0) }) {
            if change.moment > second {
                span.end = change.moment
                return span
            }
            span.start = max(floor, change.moment)
            span.offset = change.offset
        }
        return span
    }
}

extension Array {
    /// The first index whose element is past the border; the array is sorted so that all behind
    /// it are. O(log n).
    fileprivate func partitioningIndex(where isPast: (Element) -> Bool) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if isPast(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
