import Primitives

/// One log record, whoever sent it: what `POST /logs`, OTLP, storage and forwarding share.
///
/// Its bytes are borrowed: of the request while it is read, then of the `LogBatch` that holds it.
/// Empty bytes mean that the sender did not say.
package struct LogRecord {
    /// What became of the record on its way in.
    package struct Flags: OptionSet, Sendable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }

        /// It was longer than `LogLimits.recordBytes` and was cut.
        package static let truncated = Flags(rawValue: 1)
        /// Something in it was masked.
        package static let masked = Flags(rawValue: 2)
        /// `body` is a JSON text; without it, plain text.
        package static let jsonBody = Flags(rawValue: 4)
        /// There is a trace id.
        package static let trace = Flags(rawValue: 8)
        /// There is a span id.
        package static let span = Flags(rawValue: 16)

        static let all = Flags([.truncated, .masked, .jsonBody, .trace, .span])
    }

    /// Nanoseconds since 1970. OTLP's 0 means that it is missing: put `observed` here then.
    package var time: Int64
    /// When it was received, nanoseconds since 1970.
    package var observed: Int64
    /// OpenTelemetry's severity number, 1 to 24; 0 for none.
    package var severity: UInt8 = 0
    package var flags: Flags = []
    /// The level as the sender calls it.
    package var severityText = LogRecord.none
    /// The message: UTF-8 text, or JSON (`Flags.jsonBody`).
    package var body = LogRecord.none
    /// `service.name` of the resource.
    package var service = LogRecord.none
    /// Holds if `Flags.trace` is set.
    package var traceID = Key128(high: 0, low: 0)
    /// Holds if `Flags.span` is set.
    package var spanID: UInt64 = 0
    /// W3C trace flags, as OTLP carries them.
    package var traceFlags: UInt32 = 0
    /// A JSON object.
    package var attributes = LogRecord.none
    /// A JSON object, `service.name` included if the sender gave a resource.
    package var resource = LogRecord.none
    package var scopeName = LogRecord.none
    package var scopeVersion = LogRecord.none
    package var eventName = LogRecord.none
    /// Records in a row with the same number have the same service and resource, which are not compared
    /// then; 0: it is not known.
    package var resourceNumber: UInt64 = 0
    /// The same for the scope.
    package var scopeNumber: UInt64 = 0

    package init(time: Int64, observed: Int64) {
        self.time = time
        self.observed = observed
    }

    /// No bytes.
    package static var none: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: nil, count: 0)
    }
}
