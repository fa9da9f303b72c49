import Primitives

/// Reads the records of an `ExportLogsServiceRequest` in Protocol Buffers.
///
///     var reader = OTLPLogsReader()
///     let rejections = try reader.read(body) { record in … }
///
/// Unknown fields are dropped, so nothing leaves here that was not masked. Not thread-safe: each thread
/// has its own, which keeps its memory.
package struct OTLPLogsReader: ~Copyable {
    private let limits: OTLPLimits
    private var draft = OTLPDraft()
    private var count = 0
    private var rejections = OTLPRejections()
    /// Of the resource at hand, or of the scope: their records are left out.
    private var isResourceTooLarge = false
    private var isScopeTooLarge = false

    package init(_ limits: OTLPLimits = OTLPLimits()) { self.limits = limits }

    /// Hands each record to `take`, in the order of the body; it is valid until `take` returns.
    /// - Returns: the records that were left out.
    /// - Throws: what is wrong with the body, some of whose records may have been handed over. O(n).
    package mutating func read(
        _ body: UnsafeRawBufferPointer, _ take: (OTLPLogRecord) -> Void
    ) throws(OTLPError) -> OTLPRejections {
        count = 0
        rejections = OTLPRejections()
        defer { draft.shrink() }
        var fields = ProtobufReader(body)
        while let field = try fields.next() {
            guard field.number == OTLPLogField.resourceLogs, field.wire == .bytes else { continue }
            try readResourceLogs(field.bytes, take)
        }
        return rejections
    }

    /// The resource may stand after the records that belong to it, so it is looked for first.
    private mutating func readResourceLogs(
        _ message: UnsafeRawBufferPointer, _ take: (OTLPLogRecord) -> Void
    ) throws(OTLPError) {
        draft.beginResource()
        isResourceTooLarge = false
        var fields = ProtobufReader(message)
        while let field = try fields.next() {
            guard field.number == OTLPLogField.resource, field.wire == .bytes else { continue }
            try readResource(field.bytes)
        }
        if !draft.resource.isEmpty { draft.resource.append(UInt8(ascii: "}")) }
        fields = ProtobufReader(message)
        while let field = try fields.next() {
            guard field.number == OTLPLogField.scopeLogs, field.wire == .bytes else { continue }
            try readScopeLogs(field.bytes, take)
        }
    }

    /// The brace that ends it is for the caller: the parts of a message that comes twice add up.
    private mutating func readResource(_ message: UnsafeRawBufferPointer) throws(OTLPError) {
        guard draft.resource.count + message.count <= limits.recordBytes else {
            return isResourceTooLarge = true
        }
        var fields = ProtobufReader(message)
        while let field = try fields.next() {
            guard field.number == OTLPLogField.resourceAttributes, field.wire == .bytes else {
                continue
            }
            let isFirst = draft.resource.isEmpty
            if isFirst { draft.resource.append(UInt8(ascii: "{")) }
            try AnyValueReader.appendMember(
                field.bytes, isFirst: isFirst, depth: 0, to: &draft.resource)
            let (key, value) = try AnyValueReader.pair(field.bytes)
            if key.elementsEqual(OTLPLogField.serviceName),
                let text = try AnyValueReader.text(value)
            {
                draft.service.removeAll()
                OTLPText.append(text, to: &draft.service)
            }
        }
    }

    private mutating func readScopeLogs(
        _ message: UnsafeRawBufferPointer, _ take: (OTLPLogRecord) -> Void
    ) throws(OTLPError) {
        draft.beginScope()
        isScopeTooLarge = false
        var fields = ProtobufReader(message)
        while let field = try fields.next() {
            guard field.number == OTLPLogField.scope, field.wire == .bytes else { continue }
            try readScope(field.bytes)
        }
        fields = ProtobufReader(message)
        while let field = try fields.next() {
            guard field.number == OTLPLogField.records, field.wire == .bytes else { continue }
            count += 1
            guard count <= limits.records else { throw .tooManyRecords }
            guard field.bytes.count <= limits.recordBytes, !isResourceTooLarge, !isScopeTooLarge
            else {
                rejections.add(.tooLarge)
                continue
            }
            do {
                try readRecord(field.bytes)
            } catch .tooDeep {
                rejections.add(.tooDeep)
                continue
            }
            take(draft.record)
        }
    }

    private mutating func readScope(_ message: UnsafeRawBufferPointer) throws(OTLPError) {
        guard message.count <= limits.recordBytes else { return isScopeTooLarge = true }
        var fields = ProtobufReader(message)
        while let field = try fields.next() {
            switch (field.number, field.wire) {
            case (OTLPLogField.scopeName, .bytes):
                draft.scopeName.removeAll()
                OTLPText.append(field.bytes, to: &draft.scopeName)
            case (OTLPLogField.scopeVersion, .bytes):
                draft.scopeVersion.removeAll()
                OTLPText.append(field.bytes, to: &draft.scopeVersion)
            default: break
            }
        }
    }

    private mutating func readRecord(_ message: UnsafeRawBufferPointer) throws(OTLPError) {
        draft.beginRecord()
        var hasAttributes = false
        var fields = ProtobufReader(message)
        while let field = try fields.next() {
            guard field.number == OTLPLogField.attributes, field.wire == .bytes else {
                try readField(field)
                continue
            }
            hasAttributes = true
        }
        // Their places among the other fields are free, and in JSON they stand together.
        if hasAttributes { try readAttributes(message) }
    }

    private mutating func readAttributes(_ message: UnsafeRawBufferPointer) throws(OTLPError) {
        try draft.write(\.attributes) { (json) throws(OTLPError) in
            json.append(UInt8(ascii: "{"))
            var isFirst = true
            var fields = ProtobufReader(message)
            while let field = try fields.next() {
                guard field.number == OTLPLogField.attributes, field.wire == .bytes else {
                    continue
                }
                try AnyValueReader.appendMember(
                    field.bytes, isFirst: isFirst, depth: 0, to: &json)
                isFirst = false
            }
            json.append(UInt8(ascii: "}"))
        }
    }

    private mutating func readField(_ field: ProtobufReader.Field) throws(OTLPError) {
        switch (field.number, field.wire) {
        case (OTLPLogField.time, .fixed64): draft.values.time = field.value
        case (OTLPLogField.observed, .fixed64): draft.values.observed = field.value
        case (OTLPLogField.severity, .varint):
            draft.values.severity = OTLPLogRecord.severity(Int64(bitPattern: field.value))
        case (OTLPLogField.severityText, .bytes): try readText(field.bytes, \.severityText)
        case (OTLPLogField.eventName, .bytes): try readText(field.bytes, \.eventName)
        case (OTLPLogField.body, .bytes): try readBody(field.bytes)
        case (OTLPLogField.flags, .fixed32): draft.values.flags = UInt32(field.value)
        case (OTLPLogField.traceID, .bytes):
            draft.values.traceID = OTLPIdentifier.trace(field.bytes)
        case (OTLPLogField.spanID, .bytes): draft.values.spanID = OTLPIdentifier.span(field.bytes)
        default: break
        }
    }

    private mutating func readText(
        _ text: UnsafeRawBufferPointer, _ part: WritableKeyPath<OTLPDraft.Parts, Range<Int>>
    ) throws(OTLPError) {
        try draft.write(part) { OTLPText.append(text, to: &$0) }
    }

    private mutating func readBody(_ value: UnsafeRawBufferPointer) throws(OTLPError) {
        if let text = try AnyValueReader.text(value) {
            draft.values.isJSONBody = false
            return try readText(text, \.body)
        }
        try draft.write(\.body) { (json) throws(OTLPError) in
            try AnyValueReader.append(value, to: &json)
        }
        draft.settleJSONBody()
    }
}

extension UnsafeRawBufferPointer {
    func elementsEqual(_ text: StaticString) -> Bool {
        elementsEqual(
            UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }
}
