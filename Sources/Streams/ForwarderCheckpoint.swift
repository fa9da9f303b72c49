import EventCoding
import Journal
import Primitives
import Storage

/// How far the forwarder is, in the file `forwarder` of the data directory (`CheckedFile`).
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
struct ForwarderCheckpoint: Equatable, Sendable {
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
    private static let file = CheckedFile(name: fileName, title: "millrace forwarder 1")
    /// There is one an outage.
    private static let gapLimit = 1000

    /// Notes rows that were not sent; with too many gaps the last one grows over what lies between,
    /// which sends some rows twice.
    mutating func addGap(after: Int64, upTo: Int64) {
        guard upTo > after else { return }
        if let last = gaps.last, after <= last.upTo || gaps.count >= ForwarderCheckpoint.gapLimit {
            // After a loss of Redis's data a gap may begin before one that is still open.
            gaps[gaps.count - 1] = Gap(after: min(last.after, after), upTo: max(last.upTo, upTo))
        } else {
            gaps.append(Gap(after: after, upTo: upTo))
        }
    }

    func write(in directory: JournalDirectory) throws(JournalError) {
        var lines = [
            "position \(position)", "rows \(rows)", "marked \(marked)", "run \(runID)",
        ]
        for end in ends { lines.append("stream \(end)") }
        if let kept { lines.append("kept \(kept.position) \(kept.lastSeq)") }
        for gap in gaps { lines.append("gap \(gap.after) \(gap.upTo)") }
        try ForwarderCheckpoint.file.write(lines, in: directory)
    }

    /// - Returns: nil if there is none, or it is damaged.
    static func read(in directory: JournalDirectory) throws(JournalError) -> ForwarderCheckpoint? {
        guard let lines = try file.read(in: directory) else { return nil }
        var checkpoint = ForwarderCheckpoint()
        for words in lines {
            guard checkpoint.read(words) else { return nil }
        }
        return checkpoint
    }

    init() {}

    private mutating func read(_ words: [String]) -> Bool {
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
}
