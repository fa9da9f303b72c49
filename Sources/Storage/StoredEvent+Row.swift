import Primitives

extension StoredEvent {
    /// Runs `body` with the event as it was before it was stored, its bytes borrowed for the call.
    package func withRow(_ body: (EventRow) -> Void) {
        var bytes = ByteBuffer(capacity: 512)
        var ends: [Int] = []
        for text in [id, type, source, subject ?? ""] {
            bytes.append(text)
            ends.append(bytes.count)
        }
        for json in [data ?? [], extensions ?? []] {
            bytes.append(contentsOf: json)
            ends.append(bytes.count)
        }
        func part(_ index: Int) -> UnsafeRawBufferPointer {
            let start = index == 0 ? 0 : ends[index - 1]
            return UnsafeRawBufferPointer(rebasing: bytes.span[start..<ends[index]])
        }
        let generated = hasGeneratedID ? Key128(uuid: part(0)) : nil
        body(
            EventRow(
                identity: generated.map { .generated($0) } ?? .client(part(0)), time: time,
                type: part(1), source: part(2), subject: subject == nil ? nil : part(3),
                data: data == nil ? nil : part(4), extensions: extensions == nil ? nil : part(5)))
    }
}
