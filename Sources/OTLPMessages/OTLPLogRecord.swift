import Primitives

/// One record of `ExportLogsServiceRequest`, with its resource and scope. Its bytes are borrowed;
/// empty ones mean that the sender did not say.
package struct OTLPLogRecord {
    /// Nanoseconds since 1970; 0: missing.
    package var time: UInt64 = 0
    /// When somebody collected it, nanoseconds since 1970; 0: missing.
    package var observed: UInt64 = 0
    /// 1 to 24; 0: missing, or a number that OpenTelemetry does not know.
    package var severity: UInt8 = 0
    package var severityText = OTLPLogRecord.none
    /// UTF-8 text, or a JSON text.
    package var body = OTLPLogRecord.none
    package var isJSONBody = false
    /// A JSON object.
    package var attributes = OTLPLogRecord.none
    /// W3C trace flags, in the low eight bits.
    package var flags: UInt32 = 0
    /// Nil where it is missing, all zeros, or not 16 bytes long: the record has no trace then.
    package var traceID: Key128?
    /// The same, with 8 bytes.
    package var spanID: UInt64?
    package var eventName = OTLPLogRecord.none
    /// A JSON object.
    package var resource = OTLPLogRecord.none
    /// The resource's `service.name`.
    package var service = OTLPLogRecord.none
    package var scopeName = OTLPLogRecord.none
    package var scopeVersion = OTLPLogRecord.none
    /// Records that a reader hands over with the same number have the same resource; 0: it is not
    /// known.
    package var resourceNumber: UInt64 = 0
    /// The same for the scope.
    package var scopeNumber: UInt64 = 0

    package init() {}

    /// No bytes.
    package static var none: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: nil, count: 0)
    }

    /// The severity of a record for a number that was sent.
    static func severity(_ number: Int64) -> UInt8 {
        (1...24).contains(number) ? UInt8(number) : 0
    }
}

/// Field numbers of opentelemetry/proto/logs/v1 and collector/logs/v1.
enum OTLPLogField {
    static let time: UInt32 = 1
    static let severity: UInt32 = 2
    static let severityText: UInt32 = 3
    static let body: UInt32 = 5
    static let attributes: UInt32 = 6
    static let flags: UInt32 = 8
    static let traceID: UInt32 = 9
    static let spanID: UInt32 = 10
    static let observed: UInt32 = 11
    static let eventName: UInt32 = 12

    /// Of a request, of `ResourceLogs` and of `ScopeLogs`.
    static let resourceLogs: UInt32 = 1
    static let resource: UInt32 = 1
    static let scopeLogs: UInt32 = 2
    static let scope: UInt32 = 1
    static let records: UInt32 = 2

    /// Of a resource and of a scope.
    static let resourceAttributes: UInt32 = 1
    static let scopeName: UInt32 = 1
    static let scopeVersion: UInt32 = 2

    static let serviceName: StaticString = "service.name"
}

/// Records of a request that were left out, and why the first one was.
package struct OTLPRejections: Sendable {
    package private(set) var count = 0
    package private(set) var reason: OTLPError?

    package init() {}

    mutating func add(_ error: OTLPError) {
        count += 1
        reason = reason ?? error
    }
}
