import Primitives

/// Writes records as an `ExportLogsServiceRequest` in Protocol Buffers.
///
///     var writer = OTLPLogsWriter()
///     for record in records { writer.append(record) }
///     let body = writer.finish()
///
/// Records in a row that share resource and scope share them in the message as well. Two such
/// messages, one behind the other, are one message with the records of both. Not thread-safe.
package struct OTLPLogsWriter: ~Copyable {
    private var message = ByteBuffer(capacity: 4096)
    /// Where the lists that are being written begin; nil: none is.
    private var resourceStart: Int?
    private var scopeStart = 0
    /// Of the lists that are being written.
    private var resource = ByteBuffer(capacity: 256)
    private var scopeName = ByteBuffer(capacity: 64)
    private var scopeVersion = ByteBuffer(capacity: 64)

    package init() {}

    /// Records that were appended since the last `finish`.
    package private(set) var count = 0
    /// Of the message so far.
    package var byteCount: Int { message.count }

    /// Appends a record. Attributes or a body that are no JSON after all (they were cut, say) are
    /// sent as text.
    package mutating func append(_ record: OTLPLogRecord) {
        enter(record)
        count += 1
        message.append(field: OTLPLogField.records) { OTLPLogsWriter.append(record, to: &$0) }
    }

    /// The message so far; the next record begins a new one.
    package mutating func finish() -> Bytes {
        leave()
        count = 0
        let finished = Bytes(message.span)
        message.removeAll()
        message.shrink(above: 1 << 20)
        return finished
    }

    /// Begins new lists where resource or scope differ from those of the record before.
    private mutating func enter(_ record: OTLPLogRecord) {
        if resourceStart != nil, resource.span.elementsEqual(record.resource),
            scopeName.span.elementsEqual(record.scopeName),
            scopeVersion.span.elementsEqual(record.scopeVersion)
        {
            return
        }
        leave()
        OTLPLogsWriter.replace(&resource, record.resource)
        OTLPLogsWriter.replace(&scopeName, record.scopeName)
        OTLPLogsWriter.replace(&scopeVersion, record.scopeVersion)
        resourceStart = message.beginMessage(OTLPLogField.resourceLogs)
        if !record.resource.isEmpty {
            message.append(field: OTLPLogField.resource) {
                OTLPLogsWriter.append(
                    membersOf: record.resource, OTLPLogField.resourceAttributes, to: &$0)
            }
        }
        scopeStart = message.beginMessage(OTLPLogField.scopeLogs)
        guard !record.scopeName.isEmpty || !record.scopeVersion.isEmpty else { return }
        message.append(field: OTLPLogField.scope) {
            $0.append(OTLPLogField.scopeName, unlessEmpty: record.scopeName)
            $0.append(OTLPLogField.scopeVersion, unlessEmpty: record.scopeVersion)
        }
    }

    private mutating func leave() {
        guard let start = resourceStart else { return }
        message.endMessage(at: scopeStart)
        message.endMessage(at: start)
        resourceStart = nil
    }

    private static func replace(_ buffer: inout ByteBuffer, _ bytes: UnsafeRawBufferPointer) {
        buffer.removeAll()
        buffer.append(bytes)
    }

    private static func append(_ record: OTLPLogRecord, to message: inout ByteBuffer) {
        if record.time != 0 { message.append(field: OTLPLogField.time, fixed64: record.time) }
        if record.severity != 0 {
            message.append(field: OTLPLogField.severity, varint: UInt64(record.severity))
        }
        message.append(OTLPLogField.severityText, unlessEmpty: record.severityText)
        if !record.body.isEmpty { append(bodyOf: record, to: &message) }
        if !record.attributes.isEmpty {
            append(membersOf: record.attributes, OTLPLogField.attributes, to: &message)
        }
        if record.flags != 0 { message.append(field: OTLPLogField.flags, fixed32: record.flags) }
        if let trace = record.traceID { append(trace, to: &message) }
        if let span = record.spanID {
            let bytes = message.beginMessage(OTLPLogField.spanID)
            message.append(littleEndian: span.byteSwapped)
            message.endMessage(at: bytes)
        }
        if record.observed != 0 {
            message.append(field: OTLPLogField.observed, fixed64: record.observed)
        }
        message.append(OTLPLogField.eventName, unlessEmpty: record.eventName)
    }

    private static func append(_ trace: Key128, to message: inout ByteBuffer) {
        let bytes = message.beginMessage(OTLPLogField.traceID)
        message.append(littleEndian: trace.high.byteSwapped)
        message.append(littleEndian: trace.low.byteSwapped)
        message.endMessage(at: bytes)
    }

    private static func append(bodyOf record: OTLPLogRecord, to message: inout ByteBuffer) {
        let start = message.beginMessage(OTLPLogField.body)
        let content = message.count
        if record.isJSONBody, (try? AnyValueWriter.append(record.body, to: &message)) != nil {
            return message.endMessage(at: start)
        }
        message.truncate(to: content)
        message.append(field: 1, bytes: record.body)
        message.endMessage(at: start)
    }

    private static func append(
        membersOf object: UnsafeRawBufferPointer, _ number: UInt32, to message: inout ByteBuffer
    ) {
        let mark = message.count
        do {
            try AnyValueWriter.append(membersOf: object, field: number, to: &message)
        } catch {
            message.truncate(to: mark)
            message.append(field: number) {
                $0.append(field: 1, text: "unreadable")
                $0.append(field: 2) { $0.append(field: 1, bytes: object) }
            }
        }
    }
}

extension ByteBuffer {
    fileprivate mutating func append(
        _ number: UInt32, unlessEmpty bytes: UnsafeRawBufferPointer
    ) {
        if !bytes.isEmpty { append(field: number, bytes: bytes) }
    }
}
