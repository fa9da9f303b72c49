import OTLPMessages
import Primitives

extension Bytes {
    /// A copy, which outlives this.
    var array: [UInt8] { withExtendedLifetime(self) { Array(span) } }
}

/// A record as texts, for comparing.
struct ReadRecord: Equatable {
    var time: UInt64
    var observed: UInt64
    var severity: UInt8
    var severityText: String
    var body: String
    var isJSONBody: Bool
    var attributes: String
    var flags: UInt32
    var traceID: Key128?
    var spanID: UInt64?
    var eventName: String
    var resource: String
    var service: String
    var scopeName: String
    var scopeVersion: String

    init(_ record: OTLPLogRecord) {
        func text(_ bytes: UnsafeRawBufferPointer) -> String {
            String(decoding: bytes, as: UTF8.self)
        }
        time = record.time
        observed = record.observed
        severity = record.severity
        severityText = text(record.severityText)
        body = text(record.body)
        isJSONBody = record.isJSONBody
        attributes = text(record.attributes)
        flags = record.flags
        traceID = record.traceID
        spanID = record.spanID
        eventName = text(record.eventName)
        resource = text(record.resource)
        service = text(record.service)
        scopeName = text(record.scopeName)
        scopeVersion = text(record.scopeVersion)
    }

    /// What `bytes` hold in Protocol Buffers.
    static func all(
        _ bytes: [UInt8], _ limits: OTLPLimits = OTLPLimits()
    ) throws -> (records: [ReadRecord], rejected: Int) {
        var reader = OTLPLogsReader(limits)
        var records: [ReadRecord] = []
        let body = Bytes(bytes)
        let rejections = try withExtendedLifetime(body) { () throws(OTLPError) in
            try reader.read(body.span) { records.append(ReadRecord($0)) }
        }
        return (records, rejections.count)
    }

    /// What `text` holds in JSON.
    static func all(
        json text: String, _ limits: OTLPLimits = OTLPLimits()
    ) throws -> (records: [ReadRecord], rejected: Int) {
        var reader = OTLPLogsJSONReader(limits)
        var records: [ReadRecord] = []
        var body = ByteBuffer()
        body.append(text)
        let rejections = try reader.read(body.span) { records.append(ReadRecord($0)) }
        return (records, rejections.count)
    }
}
