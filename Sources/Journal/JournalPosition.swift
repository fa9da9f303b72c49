/// The file `position`: up to which sequence segments may be gone. It is safe on disk before they
/// go, so a crash between two removals never looks like a loss.
enum JournalPosition {
    static let name = "position"
    private static let file = CheckedFile(name: name, title: "millrace journal position 1")

    static func write(_ floor: UInt64, in directory: JournalDirectory) throws(JournalError) {
        try file.write(["released \(floor)"], in: directory)
    }

    /// - Returns: nil if the file is damaged, or none is there.
    static func read(in directory: JournalDirectory) throws(JournalError) -> UInt64? {
        guard let lines = try file.read(in: directory), lines.count == 1, lines[0].count == 2,
            lines[0][0] == "released"
        else { return nil }
        return UInt64(lines[0][1])
    }
}
