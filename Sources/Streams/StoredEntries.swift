import EventCoding
import Journal
import Primitives

/// Entries that the store has, or takes from this node's journal, and that are still to be
/// acknowledged.
///
/// An entry of this node's own journal is acknowledged only once the store has come as far as its
/// record: until then Redis may have the only other copy of what a damaged disk takes.
struct StoredEntries {
    /// By partition.
    private(set) var entries: [[StreamEntryID]]
    /// The journal of this node when they were read, which vouches for what was skipped.
    private let journal: JournalIdentity
    /// The last record whose entry was skipped; 0 without one.
    private(set) var skippedSequence: UInt64
    /// When the first of them was read.
    let readAt: MonotonicTime

    /// A group grows to so many while it waits for the store.
    private static let groupLimit = 2048

    init(_ batch: StreamBatch) {
        entries = batch.entries
        journal = batch.journal
        skippedSequence = batch.skippedSequence
        readAt = batch.readyAt
    }

    var count: Int { entries.reduce(0) { $0 + $1.count } }

    /// The store is where it has all of them.
    /// - Parameter position: of the store.
    func isComplete(at position: UInt64) -> Bool { skippedSequence <= position }

    /// The journal lost a record since, maybe one of those.
    func isForgotten(by journal: JournalIdentity) -> Bool {
        skippedSequence > 0 && self.journal != journal
    }

    /// Adds `others`, which are acknowledged together with these.
    /// - Returns: false if that is too much, or of another journal.
    mutating func merge(_ others: StoredEntries) -> Bool {
        guard others.journal == journal, count + others.count <= StoredEntries.groupLimit else {
            return false
        }
        for index in entries.indices { entries[index] += others.entries[index] }
        skippedSequence = max(skippedSequence, others.skippedSequence)
        return true
    }
}
