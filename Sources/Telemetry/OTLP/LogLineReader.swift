import OTLPMessages
import Primitives

/// Reads a line of the log, as `LogEncoder` writes it, as a record of OTLP.
struct LogLineReader: ~Copyable {
    private let parser = JSONParser(maxDepth: 8)
    private let resource: Bytes
    private var attributes = ByteBuffer(capacity: 512)
    private var message = ByteBuffer(capacity: 256)
    private var level = ByteBuffer(capacity: 16)

    /// - Parameter resource: a JSON object.
    init(resource: Bytes) { self.resource = resource }

    /// Hands the record to `take`, valid until that returns. What is no line of the log is sent as
    /// it is, as a message.
    /// - Parameter line: without its newline, with `ByteBuffer.padding` readable bytes after it.
    mutating func read(_ line: UnsafeRawBufferPointer, _ take: (OTLPLogRecord) -> Void) {
        guard !line.isEmpty else { return }
        var record = OTLPLogRecord()
        attributes.removeAll()
        message.removeAll()
        level.removeAll()
        if let members = try? parser.members(of: line) {
            for index in 0..<members.count { read(members[index], into: &record) }
        } else {
            message.append(line)
        }
        if !attributes.isEmpty { attributes.append(UInt8(ascii: "}")) }
        record.attributes = attributes.span
        record.body = message.span
        record.severityText = level.span
        record.resource = resource.span
        take(record)
    }

    private mutating func read(_ member: JSONMember, into record: inout OTLPLogRecord) {
        switch String(decoding: member.key, as: UTF8.self) {
        case "time":
            let time = Timestamp.parse(member.text) ?? 0
            record.time = UInt64(clamping: time) * 1_000_000
            record.observed = record.time
        case "level":
            level.append(member.text)
            record.severity = LogLevel(name: level.text)?.severityNumber ?? 0
        case "message" where member.kind == .string: message.append(member.text)
        case "trace_id" where member.text.count == 32:
            record.traceID = OTLPIdentifier.trace(digits: member.text)
        case "span_id" where member.text.count == 16:
            record.spanID = OTLPIdentifier.span(digits: member.text)
        default:
            attributes.append(attributes.isEmpty ? UInt8(ascii: "{") : UInt8(ascii: ","))
            attributes.append(member.rawKey)
            attributes.append(UInt8(ascii: ":"))
            attributes.append(member.raw)
        }
    }
}

extension LogLevel {
    /// OpenTelemetry's number for it (its logs data model, "Mapping of SeverityNumber", and the
    /// appendix for syslog's `notice` and `critical`).
    package var severityNumber: UInt8 {
        switch self {
        case .trace: 1
        case .debug: 5
        case .info: 9
        case .notice: 10
        case .warning: 13
        case .error: 17
        case .critical: 18
        }
    }
}
