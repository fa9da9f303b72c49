import Primitives

/// The file `position`: up to which sequence segments may be gone. It is safe on disk before they
/// go, so a crash between two removals never looks like a loss.
enum JournalPosition {
    static let name = "position"
    private static let temporaryName = "position.tmp"
    private static let title = "millrace journal position 1"
    /// The text is three short lines.
    private static let sizeLimitBytes = 4096

    /// Written, synced, renamed, directory synced.
    static func write(_ floor: UInt64, in directory: JournalDirectory) throws(JournalError) {
        var text = ByteBuffer()
        text.append("\(title)\nreleased \(floor)\n")
        let checksum = crc32c(text.span)
        text.append("crc32c ")
        text.append(hex: UInt64(checksum), digits: 8)
        text.append("\n")
        try directory.remove(temporaryName)
        let file = try directory.create(temporaryName)
        var code = file.write([.init(text.span)], at: 0)
        if code == 0 { code = file.syncData() }
        guard code == 0 else { throw .system(.unwritable, "write", file.path, code) }
        try directory.rename(temporaryName, to: name)
        try directory.sync()
    }

    /// - Returns: nil if the file is damaged.
    static func read(in directory: JournalDirectory) throws(JournalError) -> UInt64? {
        let file = try directory.open(name)
        var bytes = [UInt8](repeating: 0, count: sizeLimitBytes)
        let count = bytes.withUnsafeMutableBytes { file.read(into: $0, at: 0) }
        guard count >= 0 else { throw .system(.unreadable, "pread", file.path, Int32(-count)) }
        return parse(String(decoding: bytes[..<count], as: UTF8.self))
    }

    private static func parse(_ text: String) -> UInt64? {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.count == 4, lines[0] == title, lines[3].isEmpty,
            lines[1].hasPrefix("released "), lines[2].hasPrefix("crc32c "),
            let checksum = UInt32(lines[2].dropFirst("crc32c ".count), radix: 16),
            checksum == crc32c(of: "\(lines[0])\n\(lines[1])\n")
        else { return nil }
        return UInt64(lines[1].dropFirst("released ".count))
    }

    private static func crc32c(of text: String) -> UInt32 {
        var text = text
        return text.withUTF8 { crc32c(UnsafeRawBufferPointer($0)) }
    }

    private static func crc32c(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        Primitives.crc32c(bytes)
    }
}
