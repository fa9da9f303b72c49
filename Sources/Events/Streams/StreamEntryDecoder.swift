import Primitives
import Redis
import Storage
import Telemetry

/// Turns stream entries into rows of a batch. The consumer's thread only.
final class StreamEntryDecoder {
    /// Events were judged when they were taken in, by that node's limits: here only the parser's.
    static let maxDepth = 1024
    /// A frame is made of 2 MiB at most; one that claims more is not ours.
    private static let frameLimits = Inflate.Limits(outputBytes: 64 << 20, ratio: 1100)

    private var reader = EventReader(maxDepth: StreamEntryDecoder.maxDepth)
    private var frame = ByteBuffer(capacity: 64 << 10)
    /// Entries that hold no event, and those given up.
    private let unreadable: Counter

    init(unreadable: Counter) { self.unreadable = unreadable }

    /// Appends the events of one entry, or sets the entry aside if it holds none.
    func decode(_ fields: RedisReplies, of entry: StreamEntryID, into batch: StreamBatch) {
        let found = StreamEntryFields(fields)
        if let event = found.event {
            do throws(EventFault) {
                let row = try reader.readEntry(
                    event, hasGeneratedID: StreamOrigin.hasGeneratedID(found.origin),
                    now: Int64(clamping: entry.milliseconds))
                batch.append(row)
            } catch {
                setAside(event, error.code, error.detail, into: batch)
            }
        } else if let frame = found.frame {
            decode(frame: frame, into: batch)
        } else {
            setAside(nil, "unreadable_entry", "The entry has no field event.", into: batch)
        }
    }

    /// Sets an entry aside without a try to read it.
    func giveUp(_ fields: RedisReplies, into batch: StreamBatch) {
        let found = StreamEntryFields(fields)
        setAside(
            found.event ?? found.frame, "given_up",
            "The entry was delivered again and again and never stored.", into: batch)
    }

    private func decode(frame compressed: UnsafeRawBufferPointer, into batch: StreamBatch) {
        frame.removeAll()
        frame.shrink(above: 4 << 20)
        do throws(InflateError) {
            try Inflate.inflate(
                compressed, .gzip, limits: StreamEntryDecoder.frameLimits, into: &frame)
        } catch {
            return setAside(compressed, "unreadable_frame", "It is not gzip.", into: batch)
        }
        var events = EventPayload(frame.span)
        var count = 0
        do throws(CorruptPayload) {
            while try events.next() != nil { count += 1 }
            batch.append(payload: frame.span, count: count)
        } catch {
            // What came before the fault is good.
            let good = UnsafeRawBufferPointer(rebasing: frame.span[..<error.offset])
            batch.append(payload: good, count: count)
            let rest = UnsafeRawBufferPointer(rebasing: frame.span[error.offset...])
            setAside(rest, "unreadable_frame", "It is not a sequence of events.", into: batch)
        }
    }

    private func setAside(
        _ raw: UnsafeRawBufferPointer?, _ code: String, _ detail: String, into batch: StreamBatch
    ) {
        unreadable.add()
        var preview = ByteBuffer(capacity: 256)
        if let raw { MaskedPreview.append(raw, to: &preview) }
        batch.refused.append(
            QuarantineEntry(
                received: WallClock.nowMilliseconds(), code: code, detail: detail,
                contentType: "application/cloudevents+json",
                raw: Bytes(raw ?? UnsafeRawBufferPointer(start: nil, count: 0)),
                preview: preview.isEmpty ? "null" : preview.text))
    }
}
