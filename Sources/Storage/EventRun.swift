import Primitives

/// Events as CloudEvents JSON, one behind the other with a comma between, so that any stretch of
/// them is a JSON array but for its brackets. One thread at a time.
package final class EventRun {
    private var text = ByteBuffer(capacity: 16 << 10)
    /// Where each event ends.
    private var ends: [Int] = []

    package init() {}

    package var count: Int { ends.count }
    package var isEmpty: Bool { ends.isEmpty }
    /// Of all events together, commas included.
    package var byteCount: Int { text.count }

    /// - Parameter json: one event, without white space around it.
    package func append(json: UnsafeRawBufferPointer) {
        open()
        text.append(json)
        ends.append(text.count)
    }

    /// Appends an event as the store holds it.
    package func append(_ event: StoredEvent) {
        open()
        text.append(cloudEvent: event)
        ends.append(text.count)
    }

    /// The bytes of one event; valid until the next is appended.
    package subscript(index: Int) -> UnsafeRawBufferPointer { slice(index..<index + 1) }

    /// Those events as a JSON array: `application/cloudevents-batch+json`.
    package func array(_ range: Range<Int>) -> Bytes {
        let events = slice(range)
        var array = ByteBuffer(capacity: events.count + 2)
        array.append("[")
        array.append(events)
        array.append("]")
        return array.freeze()
    }

    /// The bytes of those events with the commas between them.
    package func byteCount(of range: Range<Int>) -> Int { slice(range).count }

    private func open() {
        if !ends.isEmpty { text.append(",") }
    }

    private func slice(_ range: Range<Int>) -> UnsafeRawBufferPointer {
        guard !range.isEmpty else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        let start = range.lowerBound == 0 ? 0 : ends[range.lowerBound - 1] + 1
        return UnsafeRawBufferPointer(rebasing: text.span[start..<ends[range.upperBound - 1]])
    }
}
