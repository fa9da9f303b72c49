import Primitives

/// The ways a client may say a moment.
package enum QueryTime {
    package static let rule =
        "must be RFC 3339 (in a URL write + as %2B), a date (midnight UTC), now, or relative to "
        + "now like -24h, -7d, now-30m (units s m h d w)"

    /// Milliseconds since 1970 of `text`; nil if it is no moment between the years 0000 and 9999.
    package static func parse(_ text: String, now: Int64) -> Int64? {
        var text = text
        if let moment = text.withUTF8({ parseAbsolute(UnsafeRawBufferPointer($0)) }) {
            return moment
        }
        var rest = text[...]
        if rest.hasPrefix("now") {
            rest = rest.dropFirst(3)
            if rest.isEmpty { return now }
        }
        guard rest.first == "-" else { return nil }
        return ago(rest.dropFirst(), now: now)
    }

    private static func parseAbsolute(_ text: UnsafeRawBufferPointer) -> Int64? {
        text.count == 10 ? Timestamp.parseDate(text) : Timestamp.parse(text)
    }

    private static func ago(_ text: Substring, now: Int64) -> Int64? {
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
        let moment = now - count * unitMilliseconds
        return Timestamp.range.contains(moment) ? moment : nil
    }
}
