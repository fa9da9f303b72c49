import Primitives
import Storage

/// Unpacks the frames of stream entries, for stores and sinks by the same rules: anybody who can
/// reach Redis may have written one. One thread at a time; keeps its memory.
package struct StreamFrame: ~Copyable {
    /// A node closes a frame at 2 MiB; an earlier version did so behind the event that passed that,
    /// and one has 16 MiB of text at most (`--event-limit`). In the journal's form it is longer than
    /// its text, by header, id and default source, which have room in 64 KiB. A frame that claims
    /// more is nobody's.
    private static let limits = Inflate.Limits(
        outputBytes: ((2 + 16) << 20) + (64 << 10), ratio: 1100)
    private static let keptBytes = 4 << 20

    private var bytes = ByteBuffer(capacity: 16)

    package init() {}

    /// Of the last frame, unpacked.
    package var byteCount: Int { bytes.count }

    /// Hands out the good events of a frame, as a row and in the journal's form, both borrowed for
    /// the call.
    /// - Parameter reader: whose rules the events are judged by.
    /// - Returns: what is wrong with the frame, or with the first event that is not good; nil if
    ///   nothing is.
    package mutating func unpack(
        _ compressed: UnsafeRawBufferPointer, by reader: borrowing EventReader,
        _ take: (EventRow, UnsafeRawBufferPointer) -> Void
    ) -> String? {
        bytes.removeAll()
        bytes.shrink(above: StreamFrame.keptBytes)
        do throws(InflateError) {
            try Inflate.inflate(compressed, .gzip, limits: StreamFrame.limits, into: &bytes)
        } catch {
            let isLarge = error == .tooLarge || error == .ratio
            return isLarge ? "It is larger than any frame." : "It is not gzip."
        }
        var events = EventPayload(bytes.span)
        var start = 0
        var fault: String?
        do throws(CorruptPayload) {
            while let event = try events.next() {
                if let refusal = reader.fault(in: event) {
                    fault = fault ?? refusal.detail
                } else {
                    take(event, UnsafeRawBufferPointer(rebasing: bytes.span[start..<events.offset]))
                }
                start = events.offset
            }
        } catch {
            // What came before is good.
            fault = "It is not a sequence of events."
        }
        return fault
    }
}
