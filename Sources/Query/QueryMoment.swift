import Primitives

/// A moment as a client says it: nothing is looked up and no clock is read before a plan is made.
package enum QueryMoment: Hashable, Sendable {
    /// Milliseconds since 1970.
    case absolute(Int64)
    /// Days since 1970: the midnight with which that day of the query's zone begins.
    case day(Int)
    /// Milliseconds before now; 0 is `now`.
    case ago(Int64)

    package static let rule =
        "must be RFC 3339 (in a URL write + as %2B), a date (midnight of tz, by default of UTC), now, or relative to "
        + "now like -24h, -7d, now-30m (units s m h d w)"

    /// nil for a text that is no moment between the years 0000 and 9999.
    package init?(_ text: String) {
        var text = text
        if let moment = text.withUTF8({ QueryMoment.fixed(UnsafeRawBufferPointer($0)) }) {
            self = moment
            return
        }
        var rest = text[...]
        if rest.hasPrefix("now") {
            rest = rest.dropFirst(3)
            if rest.isEmpty {
                self = .ago(0)
                return
            }
        }
        guard rest.first == "-", let ago = QueryMoment.duration(rest.dropFirst()) else {
            return nil
        }
        self = .ago(ago)
    }

    private static func fixed(_ text: UnsafeRawBufferPointer) -> QueryMoment? {
        guard text.count == 10 else { return Timestamp.parse(text).map { .absolute($0) } }
        return Timestamp.parseDate(text).map { .day(Int($0 / 86_400_000)) }
    }

    private static func duration(_ text: Substring) -> Int64? {
        let unitMilliseconds: Int64
        switch text.last {
        case "s": unitMilliseconds = 1000
        case "m": unitMilliseconds = 60_000
        case "h": unitMilliseconds = 3_600_000
        case "d": unitMilliseconds = 86_400_000
        case "w": unitMilliseconds = 604_800_000
        default: return nil
        }
        // Nine digits of weeks stay far below what 64 bits hold.
        let digits = text.dropLast()
        guard (1...9).contains(digits.utf8.count),
            digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let count = Int64(digits)
        else { return nil }
        return count * unitMilliseconds
    }

    /// Milliseconds since 1970 of `text`, to the millisecond and with days of UTC; nil if it is no
    /// moment between the years 0000 and 9999.
    package static func milliseconds(_ text: String, now: Int64) -> Int64? {
        guard let moment = QueryMoment(text) else { return nil }
        guard case .ago(let milliseconds) = moment else {
            return moment.resolved(now: now, zone: .utc)
        }
        return Timestamp.range.contains(now - milliseconds) ? now - milliseconds : nil
    }

    // MARK: Resolving

    /// Relative moments move in steps, so that a question that is asked again within a step is the
    /// same question: 1 s, from 4 hours on 10 s, from 24 hours on a minute, which is at most one
    /// part in 1,440 of the distance.
    static func step(ago milliseconds: Int64) -> Int64 {
        if milliseconds >= 86_400_000 { return 60_000 }
        return milliseconds >= 14_400_000 ? 10_000 : 1000
    }

    /// Milliseconds since 1970, rounded down to a step; nil beyond the years 0000 to 9999.
    func resolved(now: Int64, zone: TimeZoneRules) -> Int64? {
        switch self {
        case .absolute(let moment): return moment
        case .day(let day): return zone.firstMoment(showing: Int64(day) * 86400) * 1000
        case .ago(let milliseconds):
            let moment = floor(now, to: QueryMoment.step(ago: milliseconds)) - milliseconds
            return Timestamp.range.contains(moment) ? moment : nil
        }
    }

    /// The end of a range that this moment is said to be: `now` includes the moment itself, and so
    /// its step.
    func resolvedEnd(now: Int64, zone: TimeZoneRules) -> Int64? {
        guard self == .ago(0) else { return resolved(now: now, zone: zone) }
        return floor(now, to: QueryMoment.step(ago: 0)) + QueryMoment.step(ago: 0)
    }

    /// What two moments share exactly if they are the same; with `now`, if they are in the same step.
    func canonical(now: Int64?) -> String {
        switch self {
        case .absolute(let moment): return "\(moment)"
        case .day(let day): return "d\(day)"
        case .ago(let milliseconds):
            guard let now else { return "-\(milliseconds)" }
            let moment = floor(now, to: QueryMoment.step(ago: milliseconds)) - milliseconds
            return milliseconds == 0 ? "now\(moment)" : "\(moment)"
        }
    }
}

/// The greatest multiple of `step` that is not above `value`.
func floor(_ value: Int64, to step: Int64) -> Int64 {
    let rest = value % step
    return value - (rest < 0 ? rest + step : rest)
}
