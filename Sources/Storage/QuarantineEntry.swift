import Primitives

/// An event that was refused, on its way into quarantine.
package struct QuarantineEntry: Sendable {
    /// Milliseconds since 1970.
    package var received: Int64
    /// Stable, snake_case: `missing_type`.
    package var code: String
    /// For people, without anything the client sent that is not masked.
    package var detail: String
    /// What `raw` is, as the client said it.
    package var contentType: String
    /// The event as it came. Never shown, only tried again.
    package var raw: Bytes
    /// The masked beginning of `raw`, for people.
    package var preview: String
    /// The key of the stream and the id of the entry that held it, with a space between; nil if it came
    /// by HTTP or was set aside only by the store, which knows no entries. Entries can be read more than
    /// once: what is in quarantine already, from the same entry and for the same reason, is not kept
    /// again.
    package var streamEntry: String?

    package init(
        received: Int64, code: String, detail: String, contentType: String, raw: Bytes,
        preview: String, streamEntry: String? = nil
    ) {
        self.received = received
        self.code = code
        self.detail = detail
        self.contentType = contentType
        self.raw = raw
        self.preview = preview
        self.streamEntry = streamEntry
    }

    /// What it costs to hold in memory, roughly.
    var costBytes: Int { raw.count + detail.utf8.count + preview.utf8.count + 128 }
}

/// A refused event as it is listed: everything but its raw bytes.
package struct QuarantinedEvent: Sendable, Equatable {
    package let seq: Int64
    package let received: Int64
    package let code: String
    package let detail: String
    package let contentType: String
    package let preview: String
    package let rawBytes: Int
    /// As in `QuarantineEntry`.
    package let streamEntry: String?
    /// When it was tried again with success, in milliseconds since 1970.
    package let replayed: Int64?
}

/// A refused event as it is tried again.
package struct QuarantinedRaw: Sendable {
    package let seq: Int64
    package let received: Int64
    package let contentType: String
    package let raw: Bytes
}

/// How much is kept of what was refused; beyond it the oldest go, and are counted.
package struct QuarantineLimits: Sendable {
    package var rows: Int64
    /// Of `raw`.
    package var bytes: Int64

    /// 100,000 rows and 256 MiB: one bad client for hours, and never the whole disk.
    package init(rows: Int64 = 100_000, bytes: Int64 = 256 << 20) {
        self.rows = rows
        self.bytes = bytes
    }
}
