import Masking
import Primitives
import Storage
import Telemetry
import Testing

@testable import EventCoding
@testable import Journal
@testable import Streams

/// Anybody who can reach Redis can write frames.
@Suite struct StreamFrameTests {
    private let unreadable = Counter()

    private struct Parts {
        var id = "1"
        var type = "t"
        var source = "/s"
        var subject: String?
        var data: String? = #"{"a":[1]}"#
        var extensions: String?
    }

    private func append(_ parts: Parts, to payload: inout ByteBuffer) {
        let bytes = [
            parts.id, parts.type, parts.source, parts.subject ?? "", parts.data ?? "",
            parts.extensions ?? "",
        ].map { Bytes($0) }
        payload.append(
            event: EventRow(
                identity: .client(bytes[0].span), time: 1, type: bytes[1].span,
                source: bytes[2].span, subject: parts.subject == nil ? nil : bytes[3].span,
                data: parts.data == nil ? nil : bytes[4].span,
                extensions: parts.extensions == nil ? nil : bytes[5].span))
    }

    private func decode(
        _ compressed: Bytes, _ masking: EventMasking = EventMasking()
    ) -> StreamBatch {
        let frame = compressed.span
        defer { withExtendedLifetime(compressed) {} }
        let batch = StreamBatch(partitions: 1, journal: .random())
        StreamEntryDecoder(
            StreamKeys(partitions: 1), node: "n", committedSequence: { 0 },
            ErasureExchange(node: "n", book: ErasureBook([])),
            masking: masking, unreadable: unreadable
        ).decode(
            StreamEntryFields(event: nil, frame: frame, origin: nil), of: .zero, 0, into: batch)
        return batch
    }

    @Test func `data that somebody else wrote is masked before it is stored`() throws {
        var payload = ByteBuffer()
        append(Parts(data: #"{"mail":"ann@example.com"}"#), to: &payload)
        append(Parts(data: "4111111111111111"), to: &payload)
        let compressed = gzipCompress(payload.span)
        let masking = EventMasking(.standard, dataMasker: .standard, types: ["*"])
        let batch = decode(compressed, masking)
        #expect(batch.eventCount == 2 && batch.payload.text.contains(#"{"mail":"[EMAIL]"}"#))
        #expect(batch.payload.text.contains(#""[CARD]""#))
        #expect(decode(compressed).payload.text.contains("ann@example.com"))
    }

    @Test func `its good events are stored, and with one bad it is set aside as it came`() {
        let good = [
            Parts(), Parts(data: nil), Parts(data: "1"), Parts(data: #""ü""#),
            Parts(subject: "s", extensions: #"{"x":1}"#),
        ]
        let bad = [
            Parts(id: ""), Parts(type: ""), Parts(type: "a\u{7}"), Parts(source: ""),
            Parts(subject: ""), Parts(data: "{"), Parts(data: ""), Parts(data: "1 2"),
            Parts(data: "\"\u{1}\""), Parts(extensions: "[]"), Parts(extensions: "1"),
        ]
        for bad in bad {
            var payload = ByteBuffer()
            for parts in good + [bad] + good { append(parts, to: &payload) }
            let compressed = gzipCompress(payload.span)
            let batch = decode(compressed)
            #expect(batch.eventCount == 2 * good.count, "\(bad)")
            #expect(batch.refused.map(\.code) == ["unreadable_frame"])
            #expect(
                batch.refused.first?.raw.span.elementsEqual(compressed.span) == true)
            #expect(batch.refused.first?.contentType == "application/gzip")
        }
        #expect(unreadable.count == UInt64(bad.count))
    }

    @Test func `bytes that are not UTF-8 are no event`() {
        var payload = ByteBuffer()
        append(Parts(data: #""x""#), to: &payload)
        append(Parts(), to: &payload)
        let place = Array(payload.span).lastIndex(of: UInt8(ascii: "x")) ?? 0
        payload.set(0xFF, at: place)
        let batch = decode(gzipCompress(payload.span))
        #expect(batch.eventCount == 1 && batch.refused.count == 1)
    }

    @Test func `one that claims more than a node sends is not unpacked`() {
        var payload = ByteBuffer()
        payload.append(contentsOf: [UInt8](repeating: 32, count: 20 << 20))
        let compressed = gzipCompress(payload.span)
        let batch = decode(compressed)
        #expect(batch.payload.isEmpty && batch.refused.count == 1)
        #expect(batch.refused.first?.raw.span.count == compressed.span.count)
        #expect(batch.refused.first?.detail == "It is larger than any frame.")
    }

    @Test func `the largest that any node sends is taken`() {
        var payload = ByteBuffer()
        append(Parts(data: "\"\""), to: &payload)
        let room = (2 << 20) - 1 - payload.count
        payload.removeAll()
        append(Parts(data: "\"" + String(repeating: "x", count: room) + "\""), to: &payload)
        #expect(payload.count == (2 << 20) - 1)
        // Text of 16 MiB, and the source that it was given.
        let source = "/" + String(repeating: "s", count: 1000)
        let data = "\"" + String(repeating: "y", count: 16 << 20) + "\""
        append(Parts(source: source, data: data), to: &payload)
        let batch = decode(gzipCompress(payload.span))
        #expect(batch.eventCount == 2 && batch.refused.isEmpty)
    }
}
