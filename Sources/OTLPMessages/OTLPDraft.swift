import Primitives

/// The record that a reader is making, and the resource and scope that it belongs to. Keeps its
/// memory from record to record.
struct OTLPDraft: ~Copyable {
    /// The record's parts, by their places in `bytes`, which may move while it grows.
    struct Parts {
        var severityText = 0..<0
        var body = 0..<0
        var attributes = 0..<0
        var eventName = 0..<0
    }

    var bytes = ByteBuffer(capacity: 4096)
    var parts = Parts()
    /// An empty part.
    var values = OTLPLogRecord()
    /// A JSON object, or nothing.
    var resource = ByteBuffer(capacity: 512)
    var service = ByteBuffer(capacity: 64)
    var scopeName = ByteBuffer(capacity: 64)
    var scopeVersion = ByteBuffer(capacity: 64)
    /// Grow with each resource and with each scope that begins.
    private var resourceNumber: UInt64 = 0
    private var scopeNumber: UInt64 = 0

    mutating func beginResource() {
        resource.removeAll()
        service.removeAll()
        resourceNumber += 1
        beginScope()
    }

    mutating func beginScope() {
        scopeName.removeAll()
        scopeVersion.removeAll()
        scopeNumber += 1
    }

    mutating func beginRecord() {
        bytes.removeAll()
        bytes.shrink(above: 1 << 20)
        parts = Parts()
        values = OTLPLogRecord()
    }

    /// Gives back what large records have taken, once a body is read.
    mutating func shrink() {
        func shrink(_ buffer: inout ByteBuffer) {
            buffer.removeAll()
            buffer.shrink(above: OTLPLimits.keptBytes)
        }
        parts = Parts()
        shrink(&bytes)
        shrink(&resource)
        shrink(&service)
        shrink(&scopeName)
        shrink(&scopeVersion)
    }

    /// Writes one part of the record.
    mutating func write(
        _ part: WritableKeyPath<Parts, Range<Int>>,
        _ body: (inout ByteBuffer) throws(OTLPError) -> Void
    ) throws(OTLPError) {
        let start = bytes.count
        try body(&bytes)
        parts[keyPath: part] = start..<bytes.count
    }

    /// The body that was written is JSON; an empty value is no body.
    mutating func settleJSONBody() {
        let body = UnsafeRawBufferPointer(rebasing: bytes.span[parts.body])
        values.isJSONBody = !body.elementsEqual("null")
        if !values.isJSONBody { parts.body = 0..<0 }
    }

    /// The record, borrowed from this draft until it changes.
    var record: OTLPLogRecord {
        func part(_ range: Range<Int>) -> UnsafeRawBufferPointer {
            UnsafeRawBufferPointer(rebasing: bytes.span[range])
        }
        var record = values
        record.severityText = part(parts.severityText)
        record.body = part(parts.body)
        record.attributes = part(parts.attributes)
        record.eventName = part(parts.eventName)
        record.resource = resource.span
        record.service = service.span
        record.scopeName = scopeName.span
        record.scopeVersion = scopeVersion.span
        record.resourceNumber = resourceNumber
        record.scopeNumber = scopeNumber
        return record
    }
}
