import Primitives

/// The rule for years behind a zone file's table: the `TZ` text of its footer (RFC 8536,
/// section 3.3; POSIX.1-2017, section 8.3, with hours from -167 to 167).
struct PosixTimeZone: Sendable {
    /// When in a year the clocks change, in the local time that is in force before.
    struct Change: Sendable {
        enum Day: Sendable {
            /// `Mm.w.d`: the `week`th `weekday` (0 is Sunday) of the month; week 5 is the last.
            case weekday(month: Int, week: Int, weekday: Int)
            /// `Jn`, 1 to 365: 29 February is never counted.
            case julian(Int)
            /// `n`, 0 to 365: 29 February is counted.
            case zeroBased(Int)
        }
        var day: Day
        var seconds: Int64 = 7200
    }

    struct Summer: Sendable {
        /// Seconds east of UTC.
        var offset: Int64
        var start: Change
        var end: Change
    }

    /// Seconds east of UTC.
    let standardOffset: Int64
    let summer: Summer?

    /// nil for text that breaks the grammar.
    init?(_ text: String) {
        var scanner = PosixScanner(text)
        guard scanner.skipName(), let west = scanner.time(maximumHours: 24) else { return nil }
        standardOffset = -west
        guard !scanner.isAtEnd else {
            summer = nil
            return
        }
        guard scanner.skipName() else { return nil }
        var offset = standardOffset + 3600
        if !scanner.isAt(",") {
            guard let west = scanner.time(maximumHours: 24) else { return nil }
            offset = -west
        }
        guard scanner.take(","), let start = scanner.change(), scanner.take(","),
            let end = scanner.change(), scanner.isAtEnd
        else { return nil }
        summer = Summer(offset: offset, start: start, end: end)
    }

    /// The changes of `year` in order: the moment (seconds since 1970) and the offset from then on.
    func changes(in year: Int) -> [(moment: Int64, offset: Int64)] {
        guard let summer else { return [] }
        let start = summer.start.localSeconds(in: year) - standardOffset
        let end = summer.end.localSeconds(in: year) - summer.offset
        let changes = [(start, summer.offset), (end, standardOffset)]
        return start <= end ? changes : changes.reversed()
    }
}

extension PosixTimeZone.Change {
    /// Seconds from 1970-01-01T00:00 local time to the change in `year`.
    func localSeconds(in year: Int) -> Int64 {
        let newYear = Timestamp.daysSinceEpoch(year: year, month: 1, day: 1)
        let day: Int
        switch self.day {
        case .julian(let number):
            let isLeap = Timestamp.daysSinceEpoch(year: year + 1, month: 1, day: 1) - newYear == 366
            day = newYear + number - 1 + (isLeap && number >= 60 ? 1 : 0)
        case .zeroBased(let number): day = newYear + number
        case .weekday(let month, let week, let weekday):
            day = Self.dayOfWeekday(year, month, week, weekday)
        }
        return Int64(day) * 86400 + seconds
    }

    private static func dayOfWeekday(_ year: Int, _ month: Int, _ week: Int, _ weekday: Int) -> Int
    {
        let first = Timestamp.daysSinceEpoch(year: year, month: month, day: 1)
        let next =
            month == 12
            ? Timestamp.daysSinceEpoch(year: year + 1, month: 1, day: 1)
            : Timestamp.daysSinceEpoch(year: year, month: month + 1, day: 1)
        // 1970-01-01 was a Thursday, weekday 4; the double remainder holds before 1970 as well.
        let firstWeekday = ((first + 4) % 7 + 7) % 7
        var day = first + (weekday - firstWeekday + 7) % 7 + (week - 1) * 7
        while day >= next { day -= 7 }
        return day
    }
}

/// Reads the parts of a POSIX `TZ` text one after the other.
private struct PosixScanner {
    private var rest: Substring.UTF8View

    init(_ text: String) { rest = Substring(text).utf8 }

    var isAtEnd: Bool { rest.isEmpty }
    func isAt(_ character: Unicode.Scalar) -> Bool { rest.first == UInt8(ascii: character) }

    mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard isAt(character) else { return false }
        rest = rest.dropFirst()
        return true
    }

    /// `CET` or `<+0330>`.
    mutating func skipName() -> Bool {
        if take("<") {
            guard let end = rest.firstIndex(of: UInt8(ascii: ">")) else { return false }
            rest = rest[rest.index(after: end)...]
            return true
        }
        let name = rest.prefix { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0 | 0x20) }
        rest = rest.dropFirst(name.count)
        return name.count >= 3
    }

    mutating func number(_ range: ClosedRange<Int>) -> Int? {
        let digits = rest.prefix { (0x30...0x39).contains($0) }
        guard (1...3).contains(digits.count), let value = Int(Substring(digits)),
            range.contains(value)
        else { return nil }
        rest = rest.dropFirst(digits.count)
        return value
    }

    /// Seconds of `[+-]hh[:mm[:ss]]`.
    mutating func time(maximumHours: Int) -> Int64? {
        let isNegative = take("-")
        if !isNegative { _ = take("+") }
        guard let hours = number(0...maximumHours) else { return nil }
        var seconds = Int64(hours) * 3600
        for unit in [60, 1] as [Int64] where take(":") {
            guard let value = number(0...59) else { return nil }
            seconds += Int64(value) * unit
        }
        return isNegative ? -seconds : seconds
    }

    mutating func change() -> PosixTimeZone.Change? {
        guard let day = changeDay() else { return nil }
        var change = PosixTimeZone.Change(day: day)
        if take("/") {
            guard let seconds = time(maximumHours: 167) else { return nil }
            change.seconds = seconds
        }
        return change
    }

    private mutating func changeDay() -> PosixTimeZone.Change.Day? {
        if take("J") { return number(1...365).map { .julian($0) } }
        guard take("M") else { return number(0...365).map { .zeroBased($0) } }
        guard let month = number(1...12), take("."), let week = number(1...5), take("."),
            let weekday = number(0...6)
        else { return nil }
        return .weekday(month: month, week: week, weekday: weekday)
    }
}
