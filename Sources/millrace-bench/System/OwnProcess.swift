import ProcessSupport

/// What the system counts of this process.
enum OwnProcess {
    /// Bytes that went to a disk or are on their way there: `write_bytes` of `/proc/self/io`.
    static var writtenBytes: Int {
        number(after: "write_bytes:", in: FileSystem.text("/proc/self/io"))
    }

    /// Memory in use, in bytes: `VmRSS`.
    static var residentBytes: Int {
        number(after: "VmRSS:", in: FileSystem.text("/proc/self/status")) * 1024
    }

    private static func number(after name: String, in text: String) -> Int {
        let line = text.split(separator: "\n").first { $0.hasPrefix(name) } ?? ""
        return line.split(separator: " ").compactMap { Int($0) }.first
            ?? line.split(whereSeparator: { !$0.isNumber }).compactMap { Int($0) }.first ?? 0
    }
}
