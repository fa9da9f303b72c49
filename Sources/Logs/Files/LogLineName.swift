import Primitives

/// A file of lines: its day, and how long it is kept, which stands in its name. So a file goes as a
/// whole, and services with an age of their own have files of their own.
///
/// `2026-11-30.ndjson` is kept for the age of all other services, `2026-11-30.172800s.ndjson` for two
/// days, `2026-11-30.kept.ndjson` for ever.
struct LogLineName: Hashable, Sendable {
    enum Age: Hashable, Sendable {
        case standard
        /// Whole seconds; nil for ever.
        case own(Int64?)
    }

    private static let suffix = ".ndjson"
    private static let forever = "kept"

    var day: LogDay
    var age: Age

    init(_ day: LogDay, _ age: Age) {
        self.day = day
        self.age = age
    }

    /// Nil for a name that is none of ours.
    init?(_ text: String) {
        guard text.hasSuffix(LogLineName.suffix) else { return nil }
        let parts = text.dropLast(LogLineName.suffix.count)
            .split(separator: ".", omittingEmptySubsequences: false)
        guard let day = LogDay(parts[0]) else { return nil }
        switch parts.count {
        case 1: self.init(day, .standard)
        case 2 where parts[1] == LogLineName.forever: self.init(day, .own(nil))
        case 2:
            guard parts[1].hasSuffix("s"), let seconds = Int64(parts[1].dropLast()), seconds > 0
            else { return nil }
            self.init(day, .own(seconds))
        default: return nil
        }
        guard self.text == text else { return nil }
    }

    var text: String {
        switch age {
        case .standard: day.text + LogLineName.suffix
        case .own(nil): "\(day.text).\(LogLineName.forever)\(LogLineName.suffix)"
        case .own(let seconds?): "\(day.text).\(seconds)s\(LogLineName.suffix)"
        }
    }

    /// Whether its time is over.
    /// - Parameter standard: the age of services without one of their own; nil for ever.
    func isOver(standard: Duration?, now: Int64) -> Bool {
        switch age {
        case .standard: standard.map { day.end + $0.wholeMilliseconds <= now } ?? false
        case .own(let seconds): seconds.map { day.end + $0 * 1000 <= now } ?? false
        }
    }

    func path(in directory: String) -> String { "\(directory)/\(text)" }

    /// The files that there are, oldest first.
    static func all(in directory: String) -> [LogLineName] {
        let names = (try? LogCatalog.names(in: directory)) ?? []
        return names.compactMap { LogLineName($0) }
            .sorted { $0.day != $1.day ? $0.day < $1.day : $0.text < $1.text }
    }
}
