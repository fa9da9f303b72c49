import Primitives
import Redis
import Storage

/// Takes the events that a sink wants out of stream entries. One reply, one thread.
///
/// An entry's `event` goes out as it is: it was judged and written by the node that took it in. A
/// frame holds events in the journal's form.
final class SinkEntryDecoder {
    private let filter: SinkFilter
    /// Entries that are no longer there, and those that hold no event.
    var gone = 0
    private(set) var unreadable = 0
    private(set) var hasFrames = false
    private var frame = ByteBuffer(capacity: 16)
    private var event = ByteBuffer(capacity: 16)
    /// Types repeat; what was asked last is remembered without a String.
    private var lastType = ByteBuffer(capacity: 64)
    private var lastIsWanted: Bool?

    /// A frame is made of 2 MiB at most; one that claims more is not ours.
    private static let frameLimits = Inflate.Limits(outputBytes: 64 << 20, ratio: 1100)

    init(_ filter: SinkFilter) { self.filter = filter }

    /// - Parameter entries: each an id and its fields, or null where the entry is gone.
    func take(_ entries: RedisReplies, into batch: SinkBatch) {
        for entry in entries {
            var parts = entry.elements
            guard let id = parts.next()?.bytes.flatMap({ StreamEntryID($0) }),
                let fields = parts.next()
            else { continue }
            batch.entries.append(id)
            if fields.isNull { gone += 1 } else { take(fields: fields.elements, into: batch.run) }
        }
    }

    private func take(fields: RedisReplies, into run: EventRun) {
        var fields = fields
        var type: UnsafeRawBufferPointer?
        var event: UnsafeRawBufferPointer?
        var frame: UnsafeRawBufferPointer?
        while let name = fields.next(), let value = fields.next() {
            if name.equals("type") {
                type = value.bytes
            } else if name.equals("event") {
                event = value.bytes
            } else if name.equals("frame") {
                frame = value.bytes
            }
        }
        if let event, let type, !event.isEmpty {
            if wants(type) { run.append(json: event) }
        } else if let frame {
            take(frame: frame, into: run)
        } else {
            unreadable += 1
        }
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
            while let row = try rows.next() {
                guard wants(row.type) else { continue }
                event.removeAll()
                event.append(cloudEvent: row)
                run.append(json: event.span)
            }
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
