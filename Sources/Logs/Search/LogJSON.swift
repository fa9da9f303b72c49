import Primitives

extension ByteBuffer {
    /// Appends a record as `GET /logs`, `GET /logs/tail` and files of lines show it.
    /// - Parameter id: what names the record; lines have none.
    mutating func append(json record: LogRecord, id: LogCursor?) {
        if let id {
            append(#"{"id":""#)
            append(id.text)
            append(#"","time":""#)
        } else {
            append(#"{"time":""#)
        }
        append(nanoseconds: record.time)
        append(#"","level":""#)
        append(LogSeverity.name(record.severity))
        append("\"")
        if record.severity > 0 {
            append(#","severity":"#)
            append(decimal: record.severity)
        }
        append(text: #","severity_text":"#, record.severityText)
        append(#","message":"#)
        if record.flags.contains(.jsonBody), !record.body.isEmpty {
            append(record.body)
        } else {
            append(jsonString: record.body)
        }
        append(text: #","service":"#, record.service)
        if record.flags.contains(.trace) {
            append(#","trace_id":""#)
            append(hex: record.traceID)
            append("\"")
        }
        if record.flags.contains(.span) {
            append(#","span_id":""#)
            append(hex: record.spanID)
            append("\"")
        }
        if record.traceFlags > 0 {
            append(#","trace_flags":"#)
            append(decimal: record.traceFlags)
        }
        append(text: #","event_name":"#, record.eventName)
        append(object: #","attributes":"#, record.attributes)
        append(object: #","resource":"#, record.resource)
        appendScope(record)
        if record.observed != record.time {
            append(#","observed_time":""#)
            append(nanoseconds: record.observed)
            append("\"")
        }
        if record.flags.contains(.truncated) { append(#","truncated":true"#) }
        if record.flags.contains(.masked) { append(#","masked":true"#) }
        append("}")
    }

    private mutating func appendScope(_ record: LogRecord) {
        guard !record.scopeName.isEmpty || !record.scopeVersion.isEmpty else { return }
        append(#","scope":{"name":"#)
        append(jsonString: record.scopeName)
        append(text: #","version":"#, record.scopeVersion)
        append("}")
    }

    private mutating func append(text name: StaticString, _ value: UnsafeRawBufferPointer) {
        guard !value.isEmpty else { return }
        append(name)
        append(jsonString: value)
    }

    /// A JSON text on one line, since a line break would end an event of a tail.
    private mutating func append(object name: StaticString, _ value: UnsafeRawBufferPointer) {
        guard !value.isEmpty else { return }
        append(name)
        append(value)
    }

    /// Appends a time with milliseconds, or with all nine digits where there is more to say.
    private mutating func append(nanoseconds time: Int64) {
        let milliseconds = time / 1_000_000
        append(timestamp: milliseconds)
        let rest = time % 1_000_000
        guard rest > 0 else { return }
        truncate(to: count - 1)
        var divisor: Int64 = 100_000
        while divisor > 0 {
            append(UInt8(truncatingIfNeeded: rest / divisor % 10) + 48)
            divisor /= 10
        }
        append("Z")
    }
}
