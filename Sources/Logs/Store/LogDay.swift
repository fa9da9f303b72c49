import Primitives

/// A day of UTC, whose records share a file.
package struct LogDay: Hashable, Comparable, Sendable {
    static let milliseconds: Int64 = 86_400_000

    /// Days since 1970-01-01.
    package let number: Int

    package init(number: Int) { self.number = number }

    /// The day that holds `time`, in milliseconds since 1970; days before 1970 count as the first.
    package init(milliseconds time: Int64) {
        number = Int(max(0, time) / LogDay.milliseconds)
    }

    /// By this machine's clock.
    static var today: LogDay { LogDay(milliseconds: WallClock.nowMilliseconds()) }

    /// Reads `2026-11-30`.
    package init?(_ text: some StringProtocol) {
        guard text.utf8.count == 10, let start = Timestamp.parse("\(text)T00:00:00Z"), start >= 0
        else { return nil }
        number = Int(start / LogDay.milliseconds)
    }

    /// `2026-11-30`.
    package var text: String { String(Timestamp.format(start).prefix(10)) }
    /// Milliseconds since 1970.
    package var start: Int64 { Int64(number) * LogDay.milliseconds }
    package var end: Int64 { start + LogDay.milliseconds }

    package static func < (a: LogDay, b: LogDay) -> Bool { a.number < b.number }
}
