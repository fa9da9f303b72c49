import Primitives

/// Durations as people write them: `100ms`, `30s`, `5m`, `12h`, `7d`.
enum DurationText {
    private static let units: [(name: String, milliseconds: Int64)] = [
        ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1),
    ]

    /// Nil for anything that is no duration. A number without a unit is refused: it would be
    /// seconds to one reader and milliseconds to the next.
    static func parse(_ text: String) -> Duration? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let number = Int64(digits),
            let unit = units.first(where: { $0.name == text.dropFirst(digits.count) })
        else { return nil }
        let (milliseconds, overflow) = number.multipliedReportingOverflow(by: unit.milliseconds)
        // Later sums are nanoseconds in 64 bits: 292 years.
        guard !overflow, milliseconds < Int64.max / 1_000_000 else { return nil }
        return .milliseconds(milliseconds)
    }

    /// The shortest text that `parse` reads back as the same duration, in whole milliseconds.
    static func format(_ duration: Duration) -> String {
        let milliseconds = duration.wholeMilliseconds
        for unit in units where milliseconds != 0 && milliseconds % unit.milliseconds == 0 {
            return "\(milliseconds / unit.milliseconds)\(unit.name)"
        }
        return "\(milliseconds)ms"
    }
}
