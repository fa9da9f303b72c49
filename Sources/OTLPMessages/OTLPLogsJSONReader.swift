import Primitives

/// Reads the records of an `ExportLogsServiceRequest` in OTLP's JSON, which is not the common JSON
/// form of Protocol Buffers: ids are in hexadecimal, enumerations are numbers, names are in
/// lowerCamelCase alone, and unknown members are stepped over (opentelemetry-proto,
/// docs/specification.md, "JSON Protobuf Encoding"). Integers of 64 bits may be numbers or strings.
///
/// The request is read down to its records, and each of those is parsed by itself: parsing 64 MiB at
/// once would take 3 GB. Not thread-safe: each thread has its own, which keeps some memory.
package struct OTLPLogsJSONReader: ~Copyable {
    private let limits: OTLPLimits
    private let parser = JSONParser(maxDepth: OTLPLimits.jsonDepth)
    private var draft = OTLPDraft()
    private var count = 0
    private var rejections = OTLPRejections()
    /// Of the resource at hand, or of the scope: their records are left out.
    private var isResourceTooLarge = false
    private var isScopeTooLarge = false

    package init(_ limits: OTLPLimits = OTLPLimits()) { self.limits = limits }

    /// Hands each record to `take`, in the order of the body; it is valid until `take` returns.
    /// - Parameter body: with `ByteBuffer.padding` readable bytes after it.
    /// - Returns: the records that were left out.
    /// - Throws: what is wrong with the body, some of whose records may have been handed over. O(n).
    package mutating func read(
        _ body: UnsafeRawBufferPointer, _ take: (OTLPLogRecord) -> Void
    ) throws(OTLPError) -> OTLPRejections {
        count = 0
        rejections = OTLPRejections()
        defer {
            draft.shrink()
            parser.shrink(above: OTLPLimits.keptBytes)
        }
        var list = try OTLPEnvelope.list(try OTLPLogsJSONReader.resourceLogs(body))
        while let resourceLogs = try OTLPEnvelope.nextObject(&list) {
            try readResourceLogs(resourceLogs, take)
        }
        return rejections
    }

    private static func resourceLogs(
        _ body: UnsafeRawBufferPointer
    ) throws(OTLPError) -> UnsafeRawBufferPointer? {
        let text = JSONScan.trim(
            body, (body.count - JSONScan.withoutByteOrderMark(body).count)..<body.count)
        guard !text.isEmpty else { throw .json(.empty) }
        guard text.first == UInt8(ascii: "{") else {
            try OTLPEnvelope.check(text)
            throw .json(.notObject)
        }
        var walk = JSONMemberWalk(text)
        let found = try OTLPEnvelope.members("resourceLogs", nil, of: &walk).first
        guard walk.end == text.count else { throw .json(.trailingContent) }
        return found
    }

    private mutating func readResourceLogs(
        _ resourceLogs: UnsafeRawBufferPointer, _ take: (OTLPLogRecord) -> Void
    ) throws(OTLPError) {
        let (resource, logs) = try OTLPEnvelope.members("resource", "scopeLogs", of: resourceLogs)
        isResourceTooLarge = (resource?.count ?? 0) > limits.recordBytes
        try readResource(isResourceTooLarge ? nil : try object(resource))
        var list = try OTLPEnvelope.list(logs)
        while let scopeLogs = try OTLPEnvelope.nextObject(&list) {
            try readScopeLogs(scopeLogs, take)
        }
    }

    private mutating func readScopeLogs(
        _ scopeLogs: UnsafeRawBufferPointer, _ take: (OTLPLogRecord) -> Void
    ) throws(OTLPError) {
        let (scope, records) = try OTLPEnvelope.members("scope", "logRecords", of: scopeLogs)
        isScopeTooLarge = (scope?.count ?? 0) > limits.recordBytes
        try readScope(isScopeTooLarge ? nil : try object(scope))
        var list = try OTLPEnvelope.list(records)
        while let record = try next(&list) { try readRecord(record, take) }
    }

    private func next(
        _ list: inout JSONElementWalk
    ) throws(OTLPError) -> UnsafeRawBufferPointer? {
        do throws(JSONError) { return try list.next() } catch { throw .json(error) }
    }

    private func object(_ text: UnsafeRawBufferPointer?) throws(OTLPError) -> JSONValue? {
        guard let text else { return nil }
        return try OTLPJSON.object(try value(text))
    }

    private func value(_ text: UnsafeRawBufferPointer) throws(OTLPError) -> JSONValue {
        do throws(JSONError) { return try parser.value(of: text) } catch { throw .json(error) }
    }

    private mutating func readResource(_ resource: JSONValue?) throws(OTLPError) {
        draft.beginResource()
        let attributes = try OTLPJSON.list(resource?["attributes"])
        guard !attributes.isEmpty else { return }
        try OTLPJSON.append(members: attributes, depth: 0, to: &draft.resource)
        for attribute in attributes where attribute["key"]?.text == "service.name" {
            guard let text = attribute["value"]?["stringValue"]?.text else { continue }
            draft.service.removeAll()
            draft.service.append(text)
        }
    }

    private mutating func readScope(_ scope: JSONValue?) throws(OTLPError) {
        draft.beginScope()
        draft.scopeName.append(try OTLPJSON.text(scope?["name"]))
        draft.scopeVersion.append(try OTLPJSON.text(scope?["version"]))
    }

    private mutating func readRecord(
        _ record: UnsafeRawBufferPointer, _ take: (OTLPLogRecord) -> Void
    ) throws(OTLPError) {
        count += 1
        guard count <= limits.records else { throw .tooManyRecords }
        guard record.count <= limits.recordBytes, !isResourceTooLarge, !isScopeTooLarge else {
            return rejections.add(.tooLarge)
        }
        do {
            try readRecord(try value(record))
        } catch .tooDeep {
            return rejections.add(.tooDeep)
        }
        take(draft.record)
    }

    private mutating func readRecord(_ record: JSONValue) throws(OTLPError) {
        draft.beginRecord()
        guard case .object = record else { throw .wrongType }
        draft.values.time = UInt64(bitPattern: try OTLPJSON.integer(record["timeUnixNano"]))
        draft.values.observed = UInt64(
            bitPattern: try OTLPJSON.integer(record["observedTimeUnixNano"]))
        draft.values.severity = OTLPLogRecord.severity(
            try OTLPJSON.integer(record["severityNumber"]))
        draft.values.flags = UInt32(
            truncatingIfNeeded: try OTLPJSON.integer(record["flags"]))
        draft.values.traceID = OTLPJSON.trace(try OTLPJSON.text(record["traceId"]))
        draft.values.spanID = OTLPJSON.span(try OTLPJSON.text(record["spanId"]))
        let severityText = try OTLPJSON.text(record["severityText"])
        try draft.write(\.severityText) { $0.append(severityText) }
        let eventName = try OTLPJSON.text(record["eventName"])
        try draft.write(\.eventName) { $0.append(eventName) }
        if let body = try OTLPJSON.object(record["body"]) { try readBody(body) }
        let attributes = try OTLPJSON.list(record["attributes"])
        guard !attributes.isEmpty else { return }
        try draft.write(\.attributes) { (json) throws(OTLPError) in
            try OTLPJSON.append(members: attributes, depth: 0, to: &json)
        }
    }

    private mutating func readBody(_ body: JSONValue) throws(OTLPError) {
        if let text = body["stringValue"]?.text {
            return try draft.write(\.body) { $0.append(text) }
        }
        try draft.write(\.body) { (json) throws(OTLPError) in
            try OTLPJSON.append(value: body, depth: 0, to: &json)
        }
        draft.settleJSONBody()
    }
}
