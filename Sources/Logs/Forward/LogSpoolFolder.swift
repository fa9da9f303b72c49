internal import Glibc
import Primitives

/// Where a reader of a spool is: after `offset` bytes of a segment.
struct LogSpoolPosition: Equatable, Comparable, Sendable {
    /// Numbers grow and are never used again.
    var segment: UInt64
    var offset: Int

    static func < (a: LogSpoolPosition, b: LogSpoolPosition) -> Bool {
        (a.segment, a.offset) < (b.segment, b.offset)
    }
}

/// The folder of one spool: segments `0000000000000001.spool`, and `position`, which says from
/// where on nothing is delivered. One thin method for each call.
struct LogSpoolFolder: Sendable {
    private static let suffix = ".spool"

    let path: String

    /// Makes the folder, and the one it lies in, for their owner alone.
    init(path: String) throws(LogSpoolError) {
        self.path = path
        if let slash = path.lastIndex(of: "/") { try LogSpoolFolder.make(String(path[..<slash])) }
        try LogSpoolFolder.make(path)
    }

    private static func make(_ path: String) throws(LogSpoolError) {
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw .last("mkdir") }
    }

    func segmentPath(_ number: UInt64) -> String {
        var name = ByteBuffer(capacity: 32)
        name.append(hex: number, digits: 16)
        return "\(path)/\(name.text)\(LogSpoolFolder.suffix)"
    }

    /// The segments that are there, oldest first.
    func segments() throws(LogSpoolError) -> [UInt64] {
        guard let stream = opendir(path) else { throw .last("opendir") }
        defer { closedir(stream) }
        var numbers: [UInt64] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard name.hasSuffix(LogSpoolFolder.suffix),
                let number = UInt64(name.dropLast(LogSpoolFolder.suffix.count), radix: 16)
            else { continue }
            numbers.append(number)
        }
        return numbers.sorted()
    }

    /// Cut first: the writer may have it open, and would keep its bytes on the disk. What cannot be
    /// removed is found again at the next start, before the position.
    func remove(_ number: UInt64) {
        truncate(segmentPath(number), 0)
        unlink(segmentPath(number))
    }

    /// The position that was kept; nil if there is none, or none that can be read: then everything
    /// that is there is sent again.
    func position() -> LogSpoolPosition? {
        guard let file = try? LogSpoolFile.open(path + "/position") else { return nil }
        var text = ByteBuffer(capacity: 128)
        guard (try? file.read(128, at: 0, to: &text)) != nil else { return nil }
        let words = text.text.split { $0 == " " || $0 == "\n" }
        guard words.count == 3, let segment = UInt64(words[0]), let offset = Int(words[1]),
            offset >= 0, words[2] == Self.checksum(segment, offset)
        else { return nil }
        return LogSpoolPosition(segment: segment, offset: offset)
    }

    /// Keeps a position. A crash of the machine may bring the one before back, and so records that
    /// were delivered.
    func keep(_ position: LogSpoolPosition) throws(LogSpoolError) {
        let (segment, offset) = (position.segment, position.offset)
        let temporary = path + "/position.new"
        unlink(temporary)
        let text = Bytes("\(segment) \(offset) \(Self.checksum(segment, offset))\n")
        let file = try LogSpoolFile.create(temporary)
        try withExtendedLifetime(text) { () throws(LogSpoolError) in try file.append(text.span) }
        guard rename(temporary, path + "/position") == 0 else { throw .last("rename") }
    }

    private static func checksum(_ segment: UInt64, _ offset: Int) -> String {
        let text = Bytes("\(segment) \(offset)")
        return withExtendedLifetime(text) { String(crc32c(text.span)) }
    }
}
