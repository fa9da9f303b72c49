import Primitives

/// Reads the records of an `ExportLogsServiceRequest` in OTLP's JSON, which is not the common JSON
/// form of Protocol Buffers: ids are in hexadecimal, enumerations are numbers, names are in
/// lowerCamelCase alone, and unknown members are stepped over (opentelemetry-proto,
/// docs/specification.md, "JSON Protobuf Encoding"). Integers of 64 bits may be numbers or strings.
///
/// Not thread-safe: each thread has its own, which keeps its memory.
package struct OTLPLogsJSONReader: ~Copyable {
    private let limits: OTLPLimits
    private let parser = JSONParser(maxDepth: OTLPLimits.jsonDepth)
    private var draft = OTLPDraft()
    private var count = 0
    private var rejections = OTLPRejections()

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
        let value: JSONValue
        do throws(JSONError) {
            value = try parser.value(of: JSONScan.withoutByteOrderMark(body))
        } catch {
            throw .json(error)
        }
        guard case .object = value else { throw .json(.notObject) }
        for resourceLogs in try OTLPJSON.list(value["resourceLogs"]) {
            try readResource(try OTLPJSON.object(resourceLogs["resource"]))
            for scopeLogs in try OTLPJSON.list(resourceLogs["scopeLogs"]) {
                try readScope(try OTLPJSON.object(scopeLogs["scope"]))
                for record in try OTLPJSON.list(scopeLogs["logRecords"]) {
                    try readRecord(record, take)
                }
            }
        }
        return rejections
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
        _ record: JSONValue, _ take: (OTLPLogRecord) -> Void
    ) throws(OTLPError) {
        count += 1
        guard count <= limits.records else { throw .tooManyRecords }
        do {
            try readRecord(record)
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
