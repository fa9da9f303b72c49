import Primitives
import Storage

/// Erases events where they lie in a record of the journal.
package enum EventEraser {
    /// Puts zeros in the place of each event that `filter` asks for, and a flag that says so: the
    /// others stay where they are. What is no event is replaced by zeros as well; quarantine has it.
    /// - Returns: whether anything was changed.
    package static func erase(_ payload: UnsafeMutableRawBufferPointer, _ filter: ErasureFilter)
        -> Bool
    {
        var hasChanged = false
        var events = EventPayload(UnsafeRawBufferPointer(payload))
        do throws(CorruptPayload) {
            while let event = try events.next() {
                guard filter.matches(event) else { continue }
                let start = events.offset - EventCodec.encodedBytes(event)
                zero(payload, from: start + EventCodec.flagsOffset, to: events.offset)
                payload[start + EventCodec.flagsOffset] = EventCodec.Flags.erased.rawValue
                hasChanged = true
            }
        } catch {
            zero(payload, from: error.offset, to: payload.count)
            hasChanged = true
        }
        return hasChanged
    }

    private static func zero(_ bytes: UnsafeMutableRawBufferPointer, from start: Int, to end: Int) {
        UnsafeMutableRawBufferPointer(rebasing: bytes[start..<end])
            .initializeMemory(as: UInt8.self, repeating: 0)
    }
}
