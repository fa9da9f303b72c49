internal import Glibc
import Primitives

/// A small file of lines of words with a checksum at the end. It is written anew, synced and renamed, so
/// it is always whole: a position that a crash must not take back.
///
///     millrace forwarder 1
///     position 4711
///     crc32c 0badcafe
package struct CheckedFile {
    package let name: String
    /// The first line: what the file is, and the version of its form.
    package let title: String

    private static let sumPrefix = "crc32c "
    /// A thousand lines of some 40 bytes, with room to spare.
    private static let sizeLimitBytes = 64 << 10

    package init(name: String, title: String) {
        self.name = name
        self.title = title
    }

    /// - Parameter lines: what stands between the title and the checksum.
    package func write(_ lines: [String], in directory: JournalDirectory) throws(JournalError) {
        var text = ByteBuffer()
        for line in [title] + lines { text.append("\(line)\n") }
        let checksum = crc32c(text.span)
        text.append(CheckedFile.sumPrefix)
        text.append(hex: UInt64(checksum), digits: 8)
        text.append("\n")
        let temporary = "\(name).tmp"
        try directory.remove(temporary)
        let file = try directory.create(temporary)
        var code = file.write([.init(text.span)], at: 0)
        if code == 0 { code = file.syncData() }
        guard code == 0 else { throw .system(.unwritable, "write", file.path, code) }
        try directory.rename(temporary, to: name)
        try directory.sync()
    }

    /// - Returns: the words of each line between title and checksum; nil if there is no such file, or
    ///   not as it was written, or the disk cannot read it.
    package func read(in directory: JournalDirectory) throws(JournalError) -> [[String]]? {
        guard try directory.names().contains(name) else { return nil }
        let file = try directory.open(name)
        var bytes = [UInt8](repeating: 0, count: CheckedFile.sizeLimitBytes)
        let count = bytes.withUnsafeMutableBytes { file.read(into: $0, at: 0) }
        if count == -Int(EIO) { return nil }
        guard count >= 0 else { throw .system(.unreadable, "pread", file.path, Int32(-count)) }
        return bytes.withUnsafeBytes { lines(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
    }

    private func lines(_ bytes: UnsafeRawBufferPointer) -> [[String]]? {
        let sumBytes = CheckedFile.sumPrefix.utf8.count + 8 + 1
        guard bytes.count >= sumBytes, bytes.last == UInt8(ascii: "\n") else { return nil }
        let body = UnsafeRawBufferPointer(rebasing: bytes.dropLast(sumBytes))
        let sum = String(decoding: bytes.suffix(sumBytes).dropLast(), as: UTF8.self)
        guard sum.hasPrefix(CheckedFile.sumPrefix),
            UInt32(sum.dropFirst(CheckedFile.sumPrefix.utf8.count), radix: 16) == crc32c(body)
        else { return nil }
        let lines = String(decoding: body, as: UTF8.self).split(separator: "\n")
        guard lines.first.map(String.init) == title else { return nil }
        return lines.dropFirst().map { $0.split(separator: " ").map(String.init) }
    }
}
