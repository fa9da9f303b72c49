import EventCoding
import Primitives
import Redis
import Storage
import Streams

/// Takes the events that a sink wants out of stream entries. One thread at a time.
///
/// Anybody who can reach Redis may have written an entry, so its `event` is read by the rules by
/// which stores read it, and written anew: text that is no event would spoil the batch that it goes
/// out in.
final class SinkEntryDecoder {
    private let filter: SinkFilter
    /// Of one reply: entries that are no longer there.
    private(set) var gone: [StreamEntryID] = []
    /// Of one reply: entries that hold no event, or something else besides.
    private(set) var faults: [SinkEntryFault] = []
    /// Of one reply: bytes that were looked at.
    private(set) var byteCount = 0
    private(set) var hasFrames = false
    private var reader = EventReader(maxDepth: StreamEntryDecoder.maxDepth)
    private var frame = StreamFrame()
    private var event = ByteBuffer(capacity: 16)
    /// Types repeat; what was asked last is remembered without a String.
    private var lastType = ByteBuffer(capacity: 64)
    private var lastIsWanted: Bool?

    init(_ filter: SinkFilter) { self.filter = filter }

    /// Forgets what was found in the reply before.
    func reset() {
        gone.removeAll()
        faults.removeAll()
        byteCount = 0
    }

    /// A read has brought enough.
    var isFull: Bool { byteCount >= ReadSize.budgetBytes }

    /// Takes entries until there is enough.
    /// - Parameter entries: each an id and its fields, or null where the entry is gone.
    /// - Returns: false if it stopped before the last.
    func take(_ entries: RedisReplies, into batch: SinkBatch) -> Bool {
        for entry in entries {
            if isFull { return false }
            var parts = entry.elements
            guard let id = parts.next()?.bytes.flatMap({ StreamEntryID($0) }),
                let fields = parts.next()
            else { continue }
            take(id, fields.isNull ? nil : StreamEntryFields(fields.elements), into: batch)
        }
        return true
    }

    /// Takes one entry.
    /// - Parameter found: nil if it is gone.
    func take(_ entry: StreamEntryID, _ found: StreamEntryFields?, into batch: SinkBatch) {
        guard let found = open(entry, found, into: batch) else { return }
        if let event = found.event {
            byteCount += event.count
            do throws(EventFault) {
                take(
                    try reader.readEntry(
                        event, hasGeneratedID: StreamOrigin.hasGeneratedID(found.origin),
                        now: Int64(clamping: entry.milliseconds)), into: batch.run)
            } catch {
                refuse(entry, error.code, error.detail)
            }
        } else if let compressed = found.frame {
            hasFrames = true
            let fault = frame.unpack(compressed, by: reader) { row, _ in
                take(row, into: batch.run)
            }
            byteCount += compressed.count + frame.byteCount
            if let fault { refuse(entry, "unreadable_frame", fault) }
        } else {
            refuse(entry, "unreadable_entry", "The entry has no field event.")
        }
    }

    /// Sets an entry aside without a try to read it.
    /// - Parameter found: nil if it is gone.
    func giveUp(_ entry: StreamEntryID, _ found: StreamEntryFields?, into batch: SinkBatch) {
        guard let found = open(entry, found, into: batch) else { return }
        let none = UnsafeRawBufferPointer(start: nil, count: 0)
        refuse(
            entry, "given_up", "It was delivered again and again and never came through.",
            raw: Bytes(found.event ?? found.frame ?? none),
            isFrame: found.event == nil && found.frame != nil)
    }

    private func open(
        _ entry: StreamEntryID, _ found: StreamEntryFields?, into batch: SinkBatch
    ) -> StreamEntryFields? {
        batch.begin(entry)
        if found == nil { gone.append(entry) }
        return found
    }

    private func take(_ row: EventRow, into run: EventRun) {
        guard wants(row.type) else { return }
        event.removeAll()
        event.append(cloudEvent: row)
        run.append(json: event.span)
    }

    private func refuse(
        _ entry: StreamEntryID, _ code: String, _ detail: String, raw: Bytes? = nil,
        isFrame: Bool = false
    ) {
        faults.append(
            SinkEntryFault(entry: entry, code: code, detail: detail, raw: raw, isFrame: isFrame))
    }

    private func wants(_ type: UnsafeRawBufferPointer) -> Bool {
        if let lastIsWanted, lastType.span.elementsEqual(type) { return lastIsWanted }
        lastType.removeAll()
        lastType.append(type)
        let isWanted = filter.wants(lastType.text)
        lastIsWanted = isWanted
        return isWanted
    }
}
