import EventCoding
import Primitives
import Storage
import TestSupport
import Testing

/// A row over bytes that live as long as `body` runs.
private func withRow<Result>(
    id: String?, time: Int64, type: String, source: String, subject: String? = nil,
    data: String? = nil, extensions: String? = nil, _ body: (EventRow) throws -> Result
) rethrows -> Result {
    let parts = [id, type, source, subject, data, extensions].map { $0.map { Bytes($0) } }
    return try withExtendedLifetime(parts) {
        let spans = parts.map { $0?.span }
        let none = UnsafeRawBufferPointer(start: nil, count: 0)
        return try body(
            EventRow(
                identity: spans[0].map { .client($0) } ?? .generated(Key128(high: 7, low: 9)),
                time: time, type: spans[1] ?? none, source: spans[2] ?? none, subject: spans[3],
                data: spans[4], extensions: spans[5]))
    }
}

struct EventCodecTests {
    @Test func `gives back what it was given`() throws {
        let long = String(repeating: "x", count: 1024)
        var buffer = ByteBuffer()
        withRow(id: "e1", time: -5, type: "t", source: "/s") { buffer.append(event: $0) }
        withRow(
            id: nil, time: .max, type: String(repeating: "t", count: 255), source: long,
            subject: long, data: "{\"a\":1}", extensions: "{\"e\":\"é\"}"
        ) {
            #expect(EventCodec.encodedBytes($0) == 28 + 16 + 255 + 2048 + 7 + 10)
            buffer.append(event: $0)
        }
        withRow(id: "", time: 0, type: "", source: "", subject: "", data: "", extensions: "") {
            buffer.append(event: $0)
        }
        var payload = EventPayload(buffer.span)
        let first = try #require(try payload.next())
        #expect(Event(first) == Event(id: "e1", time: -5, type: "t", source: "/s"))
        let second = try #require(try payload.next())
        guard case .generated(let id) = second.identity else {
            Issue.record("no generated id")
            return
        }
        #expect(id == Key128(high: 7, low: 9))
        #expect(second.time == .max)
        #expect(Event(second).subject == long)
        #expect(Event(second).extensions == "{\"e\":\"é\"}")
        let third = try #require(try payload.next())
        #expect(
            Event(third)
                == Event(
                    id: "", time: 0, type: "", source: "", subject: "", data: "", extensions: ""))
        #expect(try payload.next() == nil)
        #expect(payload.offset == buffer.count)
    }

    @Test func `steps over events`() throws {
        var buffer = ByteBuffer()
        for index in 0..<3 {
            withRow(id: "\(index)", time: 0, type: "t", source: "/") { buffer.append(event: $0) }
        }
        var payload = EventPayload(buffer.span)
        #expect(try payload.skip())
        #expect(try payload.skip())
        #expect(try payload.next().map(Event.init)?.id == "2")
        #expect(try payload.skip() == false)
    }

    @Test func `refuses every payload that was cut inside an event`() throws {
        var buffer = ByteBuffer()
        withRow(id: nil, time: 1, type: "t", source: "/s", data: "{}") { buffer.append(event: $0) }
        for count in 1..<buffer.count {
            var payload = EventPayload(UnsafeRawBufferPointer(rebasing: buffer.span[..<count]))
            #expect(throws: CorruptPayload(offset: 0)) { try payload.next().map(Event.init) }
            #expect(throws: CorruptPayload(offset: 0)) { try payload.skip() }
        }
    }

    @Test func `never reads outside of a damaged payload`() {
        var random = SeededGenerator.printingSeed("damaged payloads")
        var whole = ByteBuffer()
        for index in 0..<4 {
            withRow(
                id: index % 2 == 0 ? nil : "id", time: 1, type: "type", source: "/source",
                subject: "s", data: "{\"k\":1}", extensions: "{}"
            ) { whole.append(event: $0) }
        }
        for _ in 0..<20_000 {
            var buffer = ByteBuffer(capacity: whole.count)
            buffer.append(whole.span)
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                let place = Int.random(in: 0..<buffer.count, using: &random)
                buffer.set(UInt8.random(in: 0 ... .max, using: &random), at: place)
            }
            var payload = EventPayload(buffer.span)
            var (bytes, rows) = (0, 0)
            while let row = try? payload.next() {
                bytes += EventCodec.encodedBytes(row)
                rows += 1
                // What damage has made an erased event is stepped over.
                let hasPassedMore = payload.passedCount > rows && payload.offset > bytes
                #expect(payload.offset == bytes || hasPassedMore)
                #expect(payload.offset <= buffer.count)
            }
            #expect(bytes <= buffer.count)
        }
    }
}
