import Primitives
import Storage

/// How far the forwarder is, in the file `forwarder` of the data directory: written anew, synced
/// and renamed, so that it is always whole.
///
///     millrace forwarder 1
///     position 4711
///     rows 90210
///     marked 4711
///     run 6d8b…
///     stream 1700000000000-5
///     kept 4000 80000
///     gap 100 2000
///     crc32c 0badcafe
///
/// One `stream` line a partition, any number of `gap` lines, no `kept` line where it is not known.
struct ForwarderNote: Equatable, Sendable {
    /// Rows of the store that Redis was not sent: above the first number, up to the second.
    struct Gap: Equatable, Sendable {
        var after: Int64
        var upTo: Int64
    }

    /// The last record whose events Redis has acknowledged, and all before it.
    var position: UInt64 = 0
    /// The rows of every record behind `position` are above it.
    var rows: Int64 = 0
    /// What the mark in Redis said last (`StreamMark`); 0 if it is not to be relied on.
    var marked: UInt64 = 0
    /// The `run_id` of the Redis that has them; empty before the first.
    var runID = ""
    /// The last entry in each partition that Redis acknowledged.
    var ends: [StreamEntryID] = []
    /// The last record before those that the journal retained, and the row that all of theirs are
    /// above: where a gap begins if everything has to be sent again.
    var kept: CommitPoint?
    /// What the journal had to let go of before it was sent.
    var gaps: [Gap] = []

    static let fileName = "forwarder"
    private static let temporaryName = "forwarder.tmp"
    private static let title = "millrace forwarder 1"
    /// Some thousands of gaps, and there is one an outage.
    private static let sizeLimitBytes = 64 << 10
    private static let gapLimit = 1000

    /// Notes rows that were not sent; with too many gaps the last one grows over what lies between,
    /// which sends some rows twice.
    mutating func addGap(after: Int64, upTo: Int64) {
        guard upTo > after else { return }
        if let last = gaps.last, after <= last.upTo || gaps.count >= ForwarderNote.gapLimit {
            gaps[gaps.count - 1].upTo = max(last.upTo, upTo)
        } else {
            gaps.append(Gap(after: after, upTo: upTo))
        }
    }

    func write(in directory: JournalDirectory) throws(JournalError) {
        var text = ByteBuffer()
        text.append("\(ForwarderNote.title)\nposition \(position)\nrows \(rows)\n")
        text.append("marked \(marked)\nrun \(runID)\n")
        for end in ends { text.append("stream \(end)\n") }
        if let kept { text.append("kept \(kept.position) \(kept.lastSeq)\n") }
        for gap in gaps { text.append("gap \(gap.after) \(gap.upTo)\n") }
        let checksum = crc32c(text.span)
        text.append("crc32c ")
        text.append(hex: UInt64(checksum), digits: 8)
        text.append("\n")
        try directory.remove(ForwarderNote.temporaryName)
        let file = try directory.create(ForwarderNote.temporaryName)
        var code = file.write([.init(text.span)], at: 0)
        if code == 0 { code = file.syncData() }
        guard code == 0 else { throw .system(.unwritable, "write", file.path, code) }
        try directory.rename(ForwarderNote.temporaryName, to: ForwarderNote.fileName)
        try directory.sync()
    }

    /// - Returns: nil if there is none, or it is damaged.
    static func read(in directory: JournalDirectory) throws(JournalError) -> ForwarderNote? {
        guard try directory.names().contains(fileName) else { return nil }
        let file = try directory.open(fileName)
        var bytes = [UInt8](repeating: 0, count: sizeLimitBytes)
        let count = bytes.withUnsafeMutableBytes { file.read(into: $0, at: 0) }
        guard count >= 0 else { throw .system(.unreadable, "pread", file.path, Int32(-count)) }
        return ForwarderNote(String(decoding: bytes[..<count], as: UTF8.self))
    }

    private init?(_ text: String) {
        guard let mark = text.range(ofLast: "crc32c "),
            let sum = UInt32(text[mark.upperBound...].dropLast(), radix: 16),
            sum == ForwarderNote.checksum(of: String(text[..<mark.lowerBound]))
        else { return nil }
        let lines = text[..<mark.lowerBound].split(separator: "\n")
        guard lines.first.map(String.init) == ForwarderNote.title else { return nil }
        for line in lines.dropFirst() {
            guard take(line.split(separator: " ").map(String.init)) else { return nil }
        }
    }

    init() {}

    private mutating func take(_ words: [String]) -> Bool {
        switch (words.first, words.count) {
        case ("position", 2):
            guard let value = UInt64(words[1]) else { return false }
            position = value
        case ("rows", 2):
            guard let value = Int64(words[1]) else { return false }
            rows = value
        case ("marked", 2):
            guard let value = UInt64(words[1]) else { return false }
            marked = value
        case ("run", 1): runID = ""
        case ("run", 2): runID = words[1]
        case ("stream", 2):
            guard let end = StreamEntryID(words[1]) else { return false }
            ends.append(end)
        case ("kept", 3):
            guard let position = UInt64(words[1]), let rows = Int64(words[2]) else { return false }
            kept = CommitPoint(position: position, lastSeq: rows)
        case ("gap", 3):
            guard let after = Int64(words[1]), let upTo = Int64(words[2]) else { return false }
            gaps.append(Gap(after: after, upTo: upTo))
        default: return false
        }
        return true
    }

    private static func checksum(of text: String) -> UInt32 {
        var text = text
        return text.withUTF8 { crc32c(UnsafeRawBufferPointer($0)) }
    }
}

extension String {
    /// Where `part` stands last; nil if it does not.
    fileprivate func range(ofLast part: String) -> Range<String.Index>? {
        var index = endIndex
        while index > startIndex {
            index = self.index(before: index)
            if self[index...].hasPrefix(part) {
                return index..<self.index(index, offsetBy: part.count)
            }
        }
        return nil
    }
}
