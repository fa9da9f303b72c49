import Primitives
import Redis
import Storage

/// Takes the events that a sink wants out of stream entries. One thread at a time.
///
/// Anybody who can reach Redis may have written an entry, so its `event` is read by the rules by
/// which stores read it, and written anew: text that is no event would spoil the batch that it goes
/// out in. A frame holds events in the journal's form.
final class SinkEntryDecoder {
    private let filter: SinkFilter
    /// Entries of one reply that are no longer there, and those that hold no event.
    var gone = 0
    private(set) var unreadable = 0
    private(set) var hasFrames = false
    private var reader = EventReader(maxDepth: StreamEntryDecoder.maxDepth)
    private var frame = ByteBuffer(capacity: 16)
    private var event = ByteBuffer(capacity: 16)
    /// Types repeat; what was asked last is remembered without a String.
    private var lastType = ByteBuffer(capacity: 64)
    private var lastIsWanted: Bool?

    /// A frame is made of 2 MiB at most; one that claims more is not ours.
    private static let frameLimits = Inflate.Limits(outputBytes: 64 << 20, ratio: 1100)

    init(_ filter: SinkFilter) { self.filter = filter }

    /// Forgets what was counted.
    func reset() { (gone, unreadable) = (0, 0) }

    /// - Parameter entries: each an id and its fields, or null where the entry is gone.
    func take(_ entries: RedisReplies, into batch: SinkBatch) {
        for entry in entries {
            var parts = entry.elements
            guard let id = parts.next()?.bytes.flatMap({ StreamEntryID($0) }),
                let fields = parts.next()
            else { continue }
            batch.entries.append(id)
            if fields.isNull {
                gone += 1
            } else {
                take(fields.elements, of: id, into: batch.run)
            }
        }
    }

    private func take(_ fields: RedisReplies, of entry: StreamEntryID, into run: EventRun) {
        let found = StreamEntryFields(fields)
        if let event = found.event {
            do throws(EventFault) {
                take(
                    try reader.readEntry(
                        event, hasGeneratedID: StreamOrigin.hasGeneratedID(found.origin),
                        now: Int64(clamping: entry.milliseconds)), into: run)
            } catch {
                unreadable += 1
            }
        } else if let frame = found.frame {
            take(frame: frame, into: run)
        } else {
            unreadable += 1
        }
    }

    private func take(_ row: EventRow, into run: EventRun) {
        guard wants(row.type) else { return }
        event.removeAll()
        event.append(cloudEvent: row)
        run.append(json: event.span)
    }

    private func take(frame compressed: UnsafeRawBufferPointer, into run: EventRun) {
        hasFrames = true
        frame.removeAll()
        do throws(InflateError) {
            try Inflate.inflate(
                compressed, .gzip, limits: SinkEntryDecoder.frameLimits, into: &frame)
        } catch {
            unreadable += 1
            return
        }
        var rows = EventPayload(frame.span)
        do throws(CorruptPayload) {
            while let row = try rows.next() { take(row, into: run) }
        } catch {
            // What came before the fault is good.
            unreadable += 1
        }
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
