import EventCoding
import Journal
import Primitives
import Storage

/// Entries read from the streams, decoded and on their way into the store.
/// Owned by one thread at a time: the consumer's fills it, the writer's stores it, and back.
package final class StreamBatch: @unchecked Sendable {  // Handed from owner to owner.
    /// The events, in the journal's form.
    package var payload = ByteBuffer(capacity: 256 << 10)
    private(set) var eventCount = 0
    /// Events of which only the identities are kept, in the journal's form.
    package private(set) var erased = ByteBuffer(capacity: 16)
    /// `ErasureBook.epoch` before it was read.
    package var erasureEpoch: UInt64 = 0
    /// What has to be acknowledged once this is stored, by partition.
    private(set) var entries: [[StreamEntryID]]
    /// The journal of this node when the batch was begun: its entries are skipped, not stored.
    var journal: JournalIdentity
    /// The last record of `journal` whose entry was skipped. Nothing of this batch is acknowledged
    /// before the store has come so far: until then Redis may have the only other copy.
    private(set) var skippedSequence: UInt64 = 0
    /// Entries that cannot be read, or were given up.
    package private(set) var refused: [QuarantineEntry] = []
    private var refusedBytes = 0
    /// Entries that are pending and no longer in the stream.
    var goneCount = 0
    /// Its events are stored one by one: one of them may have been what failed again and again.
    package var isSuspect = false
    /// When it began to wait for the writer.
    var readyAt = MonotonicTime(nanoseconds: 0)
    /// Times that storing it failed.
    package var attempts = 0

    /// A batch that stood out is not paid for ever.
    private static let keptBytes = 4 << 20

    init(partitions: Int, journal: JournalIdentity) {
        entries = Array(repeating: [], count: partitions)
        self.journal = journal
    }

    /// What it holds of entries: events, and what was refused as it came.
    var byteCount: Int { payload.count + refusedBytes }
    var entryCount: Int { entries.reduce(0) { $0 + $1.count } }
    var isEmpty: Bool { entryCount == 0 }
    /// There is nothing in it to store.
    var isStored: Bool { payload.isEmpty && erased.isEmpty && refused.isEmpty }

    func removeAll() {
        payload.removeAll()
        payload.shrink(above: StreamBatch.keptBytes)
        eventCount = 0
        erased.removeAll()
        erased.shrink(above: StreamBatch.keptBytes)
        erasureEpoch = 0
        skippedSequence = 0
        for index in entries.indices { entries[index].removeAll(keepingCapacity: true) }
        refused.removeAll()
        refusedBytes = 0
        goneCount = 0
        isSuspect = false
        attempts = 0
    }

    /// Its entry is of `journal`, from which the store takes the record itself.
    func skip(_ sequence: UInt64) { skippedSequence = max(skippedSequence, sequence) }

    func append(_ event: EventRow) {
        payload.append(event: event)
        eventCount += 1
    }

    /// Appends an event of which nothing but the identity is kept.
    func append(erased event: EventRow) {
        var left = event
        (left.subject, left.data, left.extensions) = (nil, nil, nil)
        erased.append(event: left)
    }

    /// Appends events that are in the journal's form already.
    func append(payload events: UnsafeRawBufferPointer, count: Int) {
        payload.append(events)
        eventCount += count
    }

    /// Adds what cannot be read, or was given up.
    func refuse(_ entry: QuarantineEntry) {
        refused.append(entry)
        refusedBytes += entry.raw.span.count
    }

    /// Counts an entry as read: it will be acknowledged with the batch.
    func add(_ entry: StreamEntryID, of partition: Int) { entries[partition].append(entry) }
}
