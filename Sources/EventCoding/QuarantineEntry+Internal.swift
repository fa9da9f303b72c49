import Primitives
import Storage

/// What this service sets aside of what it had taken in already.
extension QuarantineEntry {
    /// An entry of a stream.
    /// - Parameters:
    ///   - raw: its event or frame; nil where it has neither.
    ///   - isFrame: `raw` is compressed.
    ///   - stream: its key.
    package static func entry(
        _ entry: StreamEntryID, of stream: String, _ raw: UnsafeRawBufferPointer?, isFrame: Bool,
        _ code: String, _ detail: String, _ masking: EventMasking
    ) -> QuarantineEntry {
        let none = UnsafeRawBufferPointer(start: nil, count: 0)
        return QuarantineEntry(
            received: WallClock.nowMilliseconds(), code: code, detail: detail,
            contentType: isFrame ? "application/gzip" : "application/cloudevents+json",
            raw: isFrame ? Bytes(raw ?? none) : masking.kept(raw ?? none),
            preview: isFrame ? "null" : raw.map(masking.preview) ?? "null",
            streamEntry: "\(stream) \(entry)")
    }

    /// Bytes in the journal's form.
    package static func record(
        _ raw: UnsafeRawBufferPointer, _ code: String, _ detail: String
    ) -> QuarantineEntry {
        QuarantineEntry(
            received: WallClock.nowMilliseconds(), code: code, detail: detail,
            contentType: "application/octet-stream", raw: Bytes(raw), preview: "null")
    }

    /// A record whose checksum is right: a later version wrote it, or this one has a mistake.
    package static func unreadableRecord(_ raw: UnsafeRawBufferPointer) -> QuarantineEntry {
        record(raw, "unreadable_record", "not a sequence of events")
    }
}
