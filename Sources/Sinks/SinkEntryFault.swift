import EventCoding
import Primitives

/// Why an entry, or a part of one, is not delivered.
struct SinkEntryFault {
    let entry: StreamEntryID
    /// Stable, snake_case.
    let code: String
    /// A whole sentence, without anything of the input.
    let detail: String
    /// What to keep of it in quarantine; nil for what every node's store sets aside by itself: it reads
    /// entries by the same rules.
    let raw: Bytes?
    /// `raw` is a compressed frame.
    let isFrame: Bool
}
