import Journal
import Primitives
import Storage

/// Reads bodies of events straight into the journal's form.
///
/// Not thread-safe: each thread has its own, which keeps its parser's memory, at most 13 times
/// `EventLimits.eventBytes`. An accepted event makes no heap object.
package final class EventDecoder {
    /// One body on its way into a batch.
    private struct Body {
        let bytes: UnsafeRawBufferPointer
        let isCloudEvent: Bool
        let defaults: EventDefaults
        let batch: JournalBatch
        /// Events seen so far, refused ones included: the next one's index.
        var count = 0
        var accepted = 0
        /// The one at hand, from 1; nil where an event need not be a line.
        var line: Int?
    }

    package let limits: EventLimits
    private var reader: EventReader
    /// A binary-mode event in structured form.
    private var structured = ByteBuffer(capacity: 1024)
    private let masking: EventMasking
    /// Data that has been masked.
    private var masked = ByteBuffer(capacity: 16)

    package init(limits: EventLimits = EventLimits(), masking: EventMasking = EventMasking()) {
        self.limits = limits
        self.masking = masking
        reader = EventReader(maxDepth: limits.jsonDepth)
    }

    /// Appends the events of `body` to `batch` as whole records, and tells of each refused one.
    ///
    /// - Parameter body: at least `ByteBuffer.padding` bytes behind it must be readable.
    /// - Parameter onRejected: called in order; what it was told is void if this throws.
    /// - Returns: how many events were taken.
    /// - Throws: `BodyError`; `batch` is then as it was. O(n), whatever the body holds.
    package func decode(
        _ body: UnsafeRawBufferPointer, as format: EventFormat, defaults: EventDefaults,
        into batch: JournalBatch, onRejected: (RejectedEvent) -> Void
    ) throws(BodyError) -> Int {
        let mark = batch.mark
        batch.beginRecord()
        do throws(BodyError) {
            let accepted = try decodeRecords(body, format, defaults, batch, onRejected)
            batch.endRecord()
            return accepted
        } catch {
            batch.rollback(to: mark)
            throw error
        }
    }

    private func decodeRecords(
        _ bytes: UnsafeRawBufferPointer, _ format: EventFormat, _ defaults: EventDefaults,
        _ batch: JournalBatch, _ onRejected: (RejectedEvent) -> Void
    ) throws(BodyError) -> Int {
        var isCloudEvent = true
        if case .json = format { isCloudEvent = false }
        if case .ndjson = format { isCloudEvent = false }
        var body = Body(
            bytes: bytes, isCloudEvent: isCloudEvent, defaults: defaults, batch: batch)
        if case .binary(let attributes, let contentType) = format {
            decodeBinary(&body, attributes, contentType, onRejected)
            return body.accepted
        }
        var items = JSONItems<EventFault>(bytes, limit: limits.eventsPerBatch)
        let start = try items.start()
        let isArray = bytes[start] == UInt8(ascii: "[")
        func read(_ text: UnsafeRawBufferPointer, _ line: Int?) -> EventFault? {
            body.line = line
            guard let fault = take(text, &body) else { return nil }
            reject(text, fault, &body, onRejected)
            return fault
        }
        switch format {
        case .ndjson: try items.readLines(from: start, read)
        case .json where isArray, .cloudEventBatch where isArray:
            try items.readArray(from: start, read)
        case .cloudEventBatch:
            try checkJSON(items, bytes, from: start)
            throw BodyError(.notAnArray, of: .event, offset: start)
        case .cloudEvent where isArray:
            try checkJSON(items, bytes, from: start)
            throw BodyError(.notAnObject, of: .event, offset: start)
        case .json, .cloudEvent, .binary: try items.readOne(from: start, read)
        }
        return body.accepted
    }

    private func checkJSON(
        _ items: JSONItems<EventFault>, _ bytes: UnsafeRawBufferPointer, from start: Int
    ) throws(BodyError) {
        let text = JSONScan.trim(bytes, start..<bytes.count)
        guard text.count <= limits.eventBytes else { return }
        do throws(EventFault) { try reader.checkJSON(text, allowsLoneSurrogates: true) } catch {
            if error.isNotJSON { throw items.error(error, text) }
        }
    }

    // MARK: What the formats share

    /// Reads one event into the batch.
    /// - Returns: nil if it was taken; else why not, and nothing has been counted.
    private func take(_ text: UnsafeRawBufferPointer, _ body: inout Body) -> EventFault? {
        guard text.count <= limits.eventBytes else { return .eventTooLarge }
        do throws(EventFault) {
            let row = try reader.read(
                text, isCloudEvent: body.isCloudEvent, body.defaults)
            body.batch.bytes.append(event: masking.masked(row, in: &masked))
        } catch {
            return error
        }
        body.batch.endEvent()
        body.count += 1
        body.accepted += 1
        return nil
    }

    private func reject(
        _ text: UnsafeRawBufferPointer, _ fault: EventFault, _ body: inout Body,
        _ onRejected: (RejectedEvent) -> Void
    ) {
        onRejected(
            RejectedEvent(
                index: body.count, fault: fault, line: body.line, limits: limits, raw: text))
        body.count += 1
    }

    private func decodeBinary(
        _ body: inout Body, _ attributes: [(name: String, value: [UInt8])],
        _ contentType: [UInt8]?, _ onRejected: (RejectedEvent) -> Void
    ) {
        let event = BinaryEvent(
            attributes: attributes, contentType: contentType, body: body.bytes)
        structured.removeAll()
        do throws(EventFault) { try event.append(to: &structured, reader) } catch {
            structured.removeAll()
            event.appendRefused(to: &structured, reader)
            return reject(structured.span, error, &body, onRejected)
        }
        if let fault = take(structured.span, &body) {
            reject(structured.span, fault, &body, onRejected)
        }
    }
}
