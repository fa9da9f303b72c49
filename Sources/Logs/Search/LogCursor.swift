/// Where a page of logs ends, and the id of a record: a day, and a row of its file.
package struct LogCursor: Hashable, Comparable, Sendable {
    package let day: LogDay
    package let id: Int64

    init(day: LogDay, id: Int64) {
        self.day = day
        self.id = id
    }

    /// Reads what `text` gave out; nil for anything else.
    package init?(text: String) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 4, let day = LogDay(parts[..<3].joined(separator: "-")),
            parts[3].utf8.allSatisfy({ (0x30...0x39).contains($0) }), let id = Int64(parts[3])
        else { return nil }
        self.init(day: day, id: id)
    }

    /// `2026-11-30-4096`.
    package var text: String { "\(day.text)-\(id)" }

    package static func < (a: LogCursor, b: LogCursor) -> Bool {
        a.day != b.day ? a.day < b.day : a.id < b.id
    }
}
