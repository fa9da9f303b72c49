internal import Glibc
import Primitives

/// Finds zones in the system's copy of the IANA database.
package enum TimeZoneFile {
    private static let directory = "/usr/share/zoneinfo/"
    private static let nameLimitBytes = 64
    /// The largest real file has about 4 KiB.
    private static let fileLimitBytes = 1 << 18
    /// Zones read so far; there are no more than the database has, about 600 of some 4 KiB.
    private static let known = Locked<[String: TimeZoneRules]>([:])

    /// The zone called `name`, or nil when the database has none. Reads a file the first time.
    package static func rules(named name: String) -> TimeZoneRules? {
        if name == "UTC" { return .utc }
        guard isName(name) else { return nil }
        if let rules = known.withLock({ $0[name] }) { return rules }
        guard let bytes = read(directory + name),
            let rules = TimeZoneRules(name: name, file: bytes)
        else { return nil }
        known.withLock { $0[name] = rules }
        return rules
    }

    /// Whether a zone could be called so: no dots, so no way out of the directory; and not the copies
    /// with leap seconds, whose moments are not those of POSIX time. Reads nothing.
    static func isName(_ name: String) -> Bool {
        guard (1...nameLimitBytes).contains(name.utf8.count), !name.hasPrefix("right/") else {
            return false
        }
        return name.split(separator: "/", omittingEmptySubsequences: false).allSatisfy { part in
            guard let first = part.utf8.first, isLetter(first) else { return false }
            return part.utf8.allSatisfy {
                isLetter($0) || (0x30...0x39).contains($0) || "+-_".utf8.contains($0)
            }
        }
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }

    private static func read(_ path: String) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
            (1...fileLimitBytes).contains(Int(status.st_size))
        else { return nil }
        var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
        let count = bytes.withUnsafeMutableBytes {
            Glibc.read(descriptor, $0.baseAddress, $0.count)
        }
        return count == bytes.count ? bytes : nil
    }
}

extension TimeZoneRules {
    /// Reads a TZif file (RFC 8536) of version 2 or later; nil for anything else.
    package init?(name: String, file: [UInt8]) {
        var reader = BigEndianReader(bytes: file)
        // Version 2 repeats everything with 64-bit times behind the 32-bit block.
        guard let old = TimeZoneHeader(&reader), old.version >= UInt8(ascii: "2"),
            reader.skip(old.blockBytes(timeBytes: 4)), let header = TimeZoneHeader(&reader),
            header.typeCount > 0
        else { return nil }
        var transitions: [Int64] = []
        for _ in 0..<header.timeCount {
            guard let time = reader.integer(as: Int64.self) else { return nil }
            transitions.append(time)
        }
        guard zip(transitions, transitions.dropFirst()).allSatisfy(<),
            let types = reader.take(header.timeCount),
            let typeOffsets = Self.typeOffsets(&reader, count: header.typeCount),
            types.allSatisfy({ Int($0) < typeOffsets.count }),
            reader.skip(header.tailBytes(timeBytes: 8)), let footer = reader.line()
        else { return nil }
        let rule = footer.isEmpty ? nil : PosixTimeZone(footer)
        guard footer.isEmpty || rule != nil else { return nil }
        self.init(
            name: name, transitions: transitions,
            offsets: [typeOffsets[0]] + types.map { typeOffsets[Int($0)] }, rule: rule)
    }

    private static func typeOffsets(_ reader: inout BigEndianReader, count: Int) -> [Int64]? {
        var offsets: [Int64] = []
        for _ in 0..<count {
            // Behind the offset: whether it is summer time, and where its abbreviation is.
            guard let offset = reader.integer(as: Int32.self), reader.skip(2),
                abs(Int64(offset)) < 26 * 3600
            else { return nil }
            offsets.append(Int64(offset))
        }
        return offsets
    }
}

/// RFC 8536, section 3.1.
private struct TimeZoneHeader {
    let version: UInt8
    private let utcCount: Int
    private let standardCount: Int
    private let leapCount: Int
    let timeCount: Int
    let typeCount: Int
    private let characterCount: Int

    init?(_ reader: inout BigEndianReader) {
        guard reader.take(4).map({ Array($0) }) == Array("TZif".utf8),
            let version = reader.take(1)?.first, reader.skip(15)
        else { return nil }
        var counts: [Int] = []
        for _ in 0..<6 {
            // A count above the file's limit cannot be true and could overflow the sums below.
            guard let count = reader.integer(as: UInt32.self), count < 1 << 18 else { return nil }
            counts.append(Int(count))
        }
        self.version = version
        (utcCount, standardCount, leapCount) = (counts[0], counts[1], counts[2])
        (timeCount, typeCount, characterCount) = (counts[3], counts[4], counts[5])
    }

    func blockBytes(timeBytes: Int) -> Int {
        timeCount * (timeBytes + 1) + typeCount * 6 + tailBytes(timeBytes: timeBytes)
    }

    /// What follows the types: abbreviations, leap seconds and two kinds of flags.
    func tailBytes(timeBytes: Int) -> Int {
        characterCount + leapCount * (timeBytes + 4) + standardCount + utcCount
    }
}

private struct BigEndianReader {
    private let bytes: [UInt8]
    private var offset = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
        guard count <= bytes.count - offset else { return nil }
        defer { offset += count }
        return bytes[offset..<offset + count]
    }

    mutating func skip(_ count: Int) -> Bool { take(count) != nil }

    mutating func integer<Integer: FixedWidthInteger>(as: Integer.Type) -> Integer? {
        take(MemoryLayout<Integer>.size)?.reduce(0) { $0 << 8 | Integer(truncatingIfNeeded: $1) }
    }

    /// The text between two newlines.
    mutating func line() -> String? {
        guard take(1)?.first == 0x0A, let end = bytes[offset...].firstIndex(of: 0x0A) else {
            return nil
        }
        defer { offset = end + 1 }
        return String(decoding: bytes[offset..<end], as: UTF8.self)
    }
}
