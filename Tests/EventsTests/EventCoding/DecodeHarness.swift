import EventCoding
import Journal
import Primitives
import Storage

/// An event with its bytes copied.
struct Event: Equatable {
    var id: String?
    var time: Int64
    var type: String
    var source: String
    var subject: String?
    var data: String?
    var extensions: String?
}

extension Event {
    init(_ row: EventRow) {
        let text = { (bytes: UnsafeRawBufferPointer) in String(decoding: bytes, as: UTF8.self) }
        if case .client(let bytes) = row.identity { id = text(bytes) }
        time = row.time
        type = text(row.type)
        source = text(row.source)
        subject = row.subject.map(text)
        data = row.data.map(text)
        extensions = row.extensions.map(text)
    }
}

/// A refused event with its bytes copied.
struct Refusal: Equatable {
    var index: Int
    var code: String
    var raw: String
}

/// What became of one body.
struct Decoded {
    var events: [Event] = []
    var refusals: [Refusal] = []
    var error: BodyError?
    /// The error's code, or those of the refused events.
    var codes: [String] { error.map { [$0.code] } ?? refusals.map(\.code) }
}

let testNow: Int64 = 1_700_000_000_000

/// Decodes `bytes` into a fresh batch and reads the batch back.
func decode(
    _ bytes: [UInt8], as format: EventFormat = .json, by decoder: EventDecoder = EventDecoder()
) throws -> Decoded {
    var body = ByteBuffer(capacity: bytes.count)
    body.append(contentsOf: bytes)
    // Junk behind the body: what lies in the padding must not matter.
    for offset in 0..<ByteBuffer.padding {
        body.base.storeBytes(
            of: UInt8(ascii: "\""), toByteOffset: body.count + offset, as: UInt8.self)
    }
    let batch = JournalBatch()
    let source = Bytes("/anonymous")
    var decoded = Decoded()
    var accepted = 0
    do throws(BodyError) {
        accepted = try withExtendedLifetime(source) { () throws(BodyError) in
            try decoder.decode(
                body.span, as: format,
                defaults: EventDefaults(source: source.span, now: testNow), into: batch
            ) { rejected in
                decoded.refusals.append(
                    Refusal(
                        index: rejected.index, code: rejected.code,
                        raw: String(decoding: rejected.raw, as: UTF8.self)))
            }
        }
    } catch {
        decoded.error = error
    }
    decoded.events = try events(in: batch)
    guard decoded.events.count == accepted, batch.eventCount == accepted else {
        throw HarnessError(text: "\(accepted) accepted, \(decoded.events.count) in the batch")
    }
    return decoded
}

func decode(
    _ text: String, as format: EventFormat = .json, by decoder: EventDecoder = EventDecoder()
) throws -> Decoded {
    try decode(Array(text.utf8), as: format, by: decoder)
}

extension EventFormat {
    /// Binary mode with headers whose values are text.
    static func binary(
        _ attributes: [(name: String, value: String)], contentType: String?
    ) -> EventFormat {
        .binary(
            attributes: attributes.map { ($0.name, Array($0.value.utf8)) },
            contentType: contentType.map { Array($0.utf8) })
    }
}

struct HarnessError: Error { let text: String }

/// Every event of every record in `batch`.
func events(in batch: JournalBatch) throws -> [Event] {
    var events: [Event] = []
    var offset = 0
    let bytes = batch.bytes.span
    while offset < bytes.count {
        guard bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self) == JournalRecord.magic
        else { throw HarnessError(text: "no record at \(offset)") }
        let length = Int(bytes.loadUnaligned(fromByteOffset: offset + 4, as: UInt32.self))
        let start = offset + JournalRecord.headerBytes
        var payload = EventPayload(
            UnsafeRawBufferPointer(rebasing: bytes[start..<start + length]))
        while let row = try payload.next() { events.append(Event(row)) }
        offset = (start + length + JournalRecord.alignment - 1) & ~(JournalRecord.alignment - 1)
    }
    return events
}
