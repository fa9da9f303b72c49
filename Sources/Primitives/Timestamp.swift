/// RFC 3339 times in UTC, as milliseconds since 1970-01-01T00:00:00Z.
package enum Timestamp {
    /// Years 0000 to 9999, which RFC 3339 can say.
    package static let range: ClosedRange<Int64> = -62_167_219_200_000...253_402_300_799_999

    /// Reads `2015-05-17T10:05:03Z`, with a fraction (digits beyond milliseconds are cut) and a
    /// numeric offset if they are there; nil for anything else. A leap second (`:60`) counts as
    /// the last millisecond of its minute.
    package static func parse(_ text: UnsafeRawBufferPointer) -> Int64? {
        guard text.count >= 20, let date = parseDate(text),
            text[10] | 0x20 == UInt8(ascii: "t"),
            let hour = number(text, 11, 2), hour < 24, text[13] == UInt8(ascii: ":"),
            let minute = number(text, 14, 2), minute < 60, text[16] == UInt8(ascii: ":"),
            let second = number(text, 17, 2), second <= 60
        else { return nil }
        var index = 19
        guard var fraction = parseFraction(text, &index) else { return nil }
        guard let offset = parseOffset(text, index) else { return nil }
        if second == 60 { fraction = -1 }
        let result = date + Int64(hour * 3600 + minute * 60 + second) * 1000 + fraction - offset
        return range.contains(result) ? result : nil
    }

    /// Reads the `2015-05-17` that `text` begins with: midnight UTC; nil if it is no date.
    package static func parseDate(_ text: UnsafeRawBufferPointer) -> Int64? {
        guard text.count >= 10, let year = number(text, 0, 4), text[4] == UInt8(ascii: "-"),
            let month = number(text, 5, 2), (1...12).contains(month), text[7] == UInt8(ascii: "-"),
            let day = number(text, 8, 2), day >= 1, day <= daysInMonth(year, month)
        else { return nil }
        return Int64(daysSinceEpoch(year: year, month: month, day: day)) * 86_400_000
    }

    /// Days from 1970-01-01 to a day of the proleptic Gregorian calendar (Hinnant,
    /// "chrono-Compatible Low-Level Date Algorithms", days_from_civil).
    package static func daysSinceEpoch(year: Int, month: Int, day: Int) -> Int {
        let y = month <= 2 ? year - 1 : year
        let era = (y >= 0 ? y : y - 399) / 400
        let yearOfEra = y - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
            - 719_468
    }

    /// The same source, civil_from_days.
    package static func civil(daysSinceEpoch days: Int) -> (year: Int, month: Int, day: Int) {
        let z = days + 719_468
        let era = (z >= 0 ? z : z - 146_096) / 146_097
        let doe = z - era * 146_097
        let yoe = (doe - doe / 1460 + doe / 36524 - doe / 146_096) / 365
        let doy = doe - (365 * yoe + yoe / 4 - yoe / 100)
        let mp = (5 * doy + 2) / 153
        let month = mp < 10 ? mp + 3 : mp - 9
        return (yoe + era * 400 + (month <= 2 ? 1 : 0), month, doy - (153 * mp + 2) / 5 + 1)
    }

    private static func daysInMonth(_ year: Int, _ month: Int) -> Int {
        switch month {
        case 2: return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: return 30
        default: return 31
        }
    }

    // Inlined with constant arguments this is a few instructions; a time is read with every event.
    @inline(__always)
    private static func number(_ text: UnsafeRawBufferPointer, _ start: Int, _ digits: Int) -> Int?
    {
        guard start + digits <= text.count else { return nil }
        var value = 0
        for index in start..<start + digits {
            let digit = text[index] &- 48
            guard digit < 10 else { return nil }
            value = value * 10 + Int(digit)
        }
        return value
    }

    /// Milliseconds of an optional `.123456`; nil for a dot without digits.
    private static func parseFraction(_ text: UnsafeRawBufferPointer, _ index: inout Int) -> Int64?
    {
        guard index < text.count, text[index] == UInt8(ascii: ".") else { return 0 }
        index += 1
        let first = index
        var milliseconds: Int64 = 0
        var scale: Int64 = 100
        while index < text.count, text[index] &- 48 < 10 {
            milliseconds += Int64(text[index] &- 48) * scale
            scale /= 10
            index += 1
        }
        return index > first ? milliseconds : nil
    }

    /// Milliseconds of `Z` or `±hh:mm`, which must end the text.
    private static func parseOffset(_ text: UnsafeRawBufferPointer, _ index: Int) -> Int64? {
        guard index < text.count else { return nil }
        if text[index] | 0x20 == UInt8(ascii: "z") { return index + 1 == text.count ? 0 : nil }
        let negative = text[index] == UInt8(ascii: "-")
        guard negative || text[index] == UInt8(ascii: "+"), text.count == index + 6,
            let hours = number(text, index + 1, 2), hours < 24,
            text[index + 3] == UInt8(ascii: ":"),
            let minutes = number(text, index + 4, 2), minutes < 60
        else { return nil }
        let offset = Int64(hours * 3600 + minutes * 60) * 1000
        return negative ? -offset : offset
    }
}

extension Timestamp {
    package static func parse(_ text: String) -> Int64? {
        var text = text
        return text.withUTF8 { parse(UnsafeRawBufferPointer($0)) }
    }

    /// `2015-05-17T10:05:03.000Z`.
    package static func format(_ milliseconds: Int64) -> String {
        var buffer = ByteBuffer(capacity: 24)
        buffer.append(timestamp: milliseconds)
        return buffer.text
    }
}

extension ByteBuffer {
    /// Appends `2015-05-17T10:05:03.000Z` (24 bytes); times outside the range are clamped to it.
    package mutating func append(timestamp milliseconds: Int64) {
        let clamped = min(max(milliseconds, Timestamp.range.lowerBound), Timestamp.range.upperBound)
        let days = Int((clamped - (clamped < 0 ? 86_399_999 : 0)) / 86_400_000)
        let rest = Int(clamped - Int64(days) * 86_400_000)
        let date = Timestamp.civil(daysSinceEpoch: days)
        append(padded: date.year, digits: 4)
        append(UInt8(ascii: "-"))
        append(padded: date.month, digits: 2)
        append(UInt8(ascii: "-"))
        append(padded: date.day, digits: 2)
        append(UInt8(ascii: "T"))
        append(padded: rest / 3_600_000, digits: 2)
        append(UInt8(ascii: ":"))
        append(padded: rest / 60_000 % 60, digits: 2)
        append(UInt8(ascii: ":"))
        append(padded: rest / 1000 % 60, digits: 2)
        append(UInt8(ascii: "."))
        append(padded: rest % 1000, digits: 3)
        append(UInt8(ascii: "Z"))
    }

    private mutating func append(padded value: Int, digits: Int) {
        var divisor = 1
        for _ in 1..<digits { divisor *= 10 }
        while divisor > 0 {
            append(UInt8(truncatingIfNeeded: value / divisor % 10) + 48)
            divisor /= 10
        }
    }
}
