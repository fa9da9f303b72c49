import EventCoding
import Journal
import Primitives
import Redis
import Storage
import Telemetry

/// Turns stream entries into rows of a batch. The consumer's thread only.
package final class StreamEntryDecoder {
    /// Events were judged when they were taken in, by that node's limits: here only the parser's.
    package static let maxDepth = 1024

    private var reader = EventReader(maxDepth: StreamEntryDecoder.maxDepth)
    private var frame = StreamFrame()
    private let keys: StreamKeys
    private let node: String
    private let committedSequence: () -> UInt64
    /// As it was when it was last asked for: it only grows.
    private var committed: UInt64 = 0
    /// Of this node's own entries: the journal that `ownPrefix` is of.
    private var journal: JournalIdentity?
    private var ownPrefix = Bytes("")
    private let exchange: ErasureExchange
    /// Entries that hold no event, and those given up.
    private let unreadable: Counter
    private let masking: EventMasking
    /// Data that has been masked.
    private var masked = ByteBuffer(capacity: 16)

    /// - Parameter committedSequence: the last record of this node's journal.
    init(
        _ keys: StreamKeys, node: String, committedSequence: @escaping () -> UInt64,
        _ exchange: ErasureExchange, masking: EventMasking, unreadable: Counter
    ) {
        self.keys = keys
        self.node = node
        self.committedSequence = committedSequence
        self.exchange = exchange
        self.masking = masking
        self.unreadable = unreadable
    }

    /// Appends the events of one entry, or sets the entry aside if it holds none. What this node's
    /// journal has is skipped: the store takes it from there.
    func decode(
        _ found: StreamEntryFields, of entry: StreamEntryID, _ partition: Int,
        into batch: StreamBatch
    ) {
        if skip(found, in: batch) { return }
        let filter = exchange.filter(
            origin: found.origin, partition: partition, found.firstID(entry))
        if let event = found.event {
            do throws(EventFault) {
                let row = try reader.readEntry(
                    event, hasGeneratedID: StreamOrigin.hasGeneratedID(found.origin),
                    now: Int64(clamping: entry.milliseconds))
                if let filter, filter.matches(row) {
                    batch.append(erased: row)
                } else {
                    batch.append(masking.masked(row, in: &masked))
                }
            } catch {
                setAside(entry, of: partition, event, error.code, error.detail, into: batch)
            }
        } else if let compressed = found.frame {
            let fault = frame.unpack(compressed, by: reader) { row, bytes in
                if let filter, filter.matches(row) {
                    batch.append(erased: row)
                } else if masking.masksData {
                    batch.append(masking.masked(row, in: &masked))
                } else {
                    batch.append(payload: bytes, count: 1)
                }
            }
            guard let fault else { return }
            // What is good in it is stored. It is kept as it came: what it holds may be much more.
            setAside(
                entry, of: partition, compressed, isFrame: true, "unreadable_frame", fault,
                into: batch)
        } else {
            setAside(
                entry, of: partition, nil, "unreadable_entry", "The entry has no field event.",
                into: batch)
        }
    }

    /// Sets an entry aside without a try to read it.
    func giveUp(
        _ found: StreamEntryFields, of entry: StreamEntryID, _ partition: Int,
        into batch: StreamBatch
    ) {
        if skip(found, in: batch) { return }
        setAside(
            entry, of: partition, found.event ?? found.frame,
            isFrame: found.event == nil && found.frame != nil, "given_up",
            "The entry was delivered again and again and never stored.", into: batch)
    }

    /// - Returns: false for what is not of this node's journal.
    private func skip(_ found: StreamEntryFields, in batch: StreamBatch) -> Bool {
        if journal != batch.journal {
            journal = batch.journal
            ownPrefix = StreamOrigin.prefix(node, batch.journal)
        }
        guard let sequence = StreamOrigin.sequence(found.origin, after: ownPrefix.span) else {
            return false
        }
        if sequence > committed { committed = committedSequence() }
        // Somebody else wrote it: the store would be waited for in vain.
        guard sequence <= committed else { return false }
        batch.skip(sequence)
        return true
    }

    private func setAside(
        _ entry: StreamEntryID, of partition: Int, _ raw: UnsafeRawBufferPointer?,
        isFrame: Bool = false, _ code: String, _ detail: String, into batch: StreamBatch
    ) {
        unreadable.add()
        batch.refuse(
            .entry(
                entry, of: keys.names[partition], raw, isFrame: isFrame, code, detail, masking))
    }
}
