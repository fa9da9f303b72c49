/// A day's file that was found damaged and stands beside the others until its day is dropped or erased:
/// `2026-11-30.db.damaged-1764460800000`. Nobody reads it, but records are in it.
struct LogSetAside: Hashable, Sendable {
    private static let mark = ".damaged-"

    let day: LogDay
    /// Without the suffix of its write-ahead log.
    let name: String

    /// - Parameter time: when it was set aside, milliseconds since 1970.
    init(_ file: LogCatalog.File, time: Int64) {
        day = file.day
        name = "\(file.name)\(LogSetAside.mark)\(time)"
    }

    /// Reads the name of such a file, or of its write-ahead log; nil for any other.
    init?(name text: String) {
        var name = text[...]
        for suffix in LogCatalog.suffixes where !suffix.isEmpty && name.hasSuffix(suffix) {
            name = name.dropLast(suffix.count)
        }
        guard let mark = name.firstRange(of: LogSetAside.mark),
            let file = LogCatalog.File(name: String(name[..<mark.lowerBound])),
            let time = Int64(name[mark.upperBound...])
        else { return nil }
        self.init(file, time: time)
        guard self.name == name else { return nil }
    }
}
