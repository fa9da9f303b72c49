import Primitives
import Redis
import Storage

/// Takes the events that a sink wants out of stream entries. One thread at a time.
///
/// Anybody who can reach Redis may have written an entry, so its `event` is read by the rules by
/// which stores read it, and written anew: text that is no event would spoil the batch that it goes
/// out in. A frame holds events in the journal's form, whose JSON nobody has looked at here, so
/// each is parsed once it is written.
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
    private var frame = ByteBuffer(capacity: 16)
    private var event = ByteBuffer(capacity: 16)
    /// Types repeat; what was asked last is remembered without a String.
    private var lastType = ByteBuffer(capacity: 64)
    private var lastIsWanted: Bool?

    /// A frame is closed once it has 2 MiB, and the event that closes it has 16 MiB at most; one
    /// that claims more is not ours.
    private static let frameLimits = Inflate.Limits(outputBytes: 20 << 20, ratio: 1100)
    /// Of memory, between replies.
    private static let keptBytes = 4 << 20

    init(_ filter: SinkFilter) { self.filter = filter }

    /// Forgets what was found in the reply before.
    func reset() {
        gone.removeAll()
        faults.removeAll()
        byteCount = 0
        frame.removeAll()
        frame.shrink(above: SinkEntryDecoder.keptBytes)
    }

    /// Takes entries until there is enough.
    /// - Parameter entries: each an id and its fields, or null where the entry is gone.
    /// - Returns: false if it stopped before the last.
    func take(_ entries: RedisReplies, into batch: SinkBatch) -> Bool {
        for entry in entries {
            if byteCount >= SinkReadSize.budgetBytes { return false }
            guard let (id, fields) = SinkEntryDecoder.parts(of: entry) else { continue }
            batch.entries.append(id)
            if fields.isNull {
                gone.append(id)
            } else {
                take(fields.elements, of: id, into: batch.run)
            }
        }
        return true
    }

    /// Sets entries aside without a try to read them.
    func giveUp(_ entries: RedisReplies, into batch: SinkBatch) {
        for entry in entries {
            guard let (id, fields) = SinkEntryDecoder.parts(of: entry) else { continue }
            batch.entries.append(id)
            guard !fields.isNull else {
                gone.append(id)
                continue
            }
            let found = StreamEntryFields(fields.elements)
            let none = UnsafeRawBufferPointer(start: nil, count: 0)
            refuse(
                id, "given_up", "It was delivered again and again and never came through.",
                raw: Bytes(found.event ?? found.frame ?? none))
        }
    }

    private static func parts(of entry: RedisReply) -> (StreamEntryID, RedisReply)? {
        var parts = entry.elements
        guard let id = parts.next()?.bytes.flatMap({ StreamEntryID($0) }), let fields = parts.next()
        else { return nil }
        return (id, fields)
    }

    private func take(_ fields: RedisReplies, of entry: StreamEntryID, into run: EventRun) {
        let found = StreamEntryFields(fields)
        if let event = found.event {
            byteCount += event.count
            do throws(EventFault) {
                take(
                    try reader.readEntry(
                        event, hasGeneratedID: StreamOrigin.hasGeneratedID(found.origin),
                        now: Int64(clamping: entry.milliseconds)), into: run)
            } catch {
                refuse(entry, error.code, error.detail)
            }
        } else if let frame = found.frame {
            take(frame: frame, of: entry, into: run)
        } else {
            refuse(entry, "unreadable_entry", "The entry has no field event.")
        }
    }

    private func take(_ row: EventRow, into run: EventRun) {
        guard wants(row.type) else { return }
        event.removeAll()
        event.append(cloudEvent: row)
        run.append(json: event.span)
    }

    // MARK: Frames

    private func take(
        frame compressed: UnsafeRawBufferPointer, of entry: StreamEntryID, into run: EventRun
    ) {
        hasFrames = true
        byteCount += compressed.count
        frame.removeAll()
        do throws(InflateError) {
            try Inflate.inflate(
                compressed, .gzip, limits: SinkEntryDecoder.frameLimits, into: &frame)
        } catch .tooLarge {
            // A store still takes it.
            return refuse(
                entry, "frame_too_large", "Decompressed it is larger than any frame.",
                raw: Bytes(UnsafeRawBufferPointer(start: nil, count: 0)))
        } catch {
            return refuse(entry, "unreadable_frame", "It is not gzip.")
        }
        byteCount += frame.count
        take(EventPayload(frame.span), of: entry, into: run)
    }

    private func take(_ payload: EventPayload, of entry: StreamEntryID, into run: EventRun) {
        var rows = payload
        var firstFault: (code: String, text: Bytes)?
        do throws(CorruptPayload) {
            while let row = try rows.next() {
                guard let fault = takeUnchecked(row, into: run), firstFault == nil else { continue }
                firstFault = (fault.code, Bytes(event.span))
            }
        } catch {
            // What came before the fault is good.
            refuse(entry, "unreadable_frame", "It is not a sequence of events.")
        }
        guard let (code, text) = firstFault else { return }
        refuse(entry, code, "The frame has an event that is no JSON.", raw: text)
    }

    /// - Returns: why it is not taken.
    private func takeUnchecked(_ row: EventRow, into run: EventRun) -> EventFault? {
        guard wants(row.type) else { return nil }
        event.removeAll()
        event.append(cloudEvent: row)
        do throws(EventFault) { _ = try reader.members(of: event.span) } catch { return error }
        run.append(json: event.span)
        return nil
    }

    private func refuse(
        _ entry: StreamEntryID, _ code: String, _ detail: String, raw: Bytes? = nil
    ) {
        faults.append(SinkEntryFault(entry: entry, code: code, detail: detail, raw: raw))
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
