import Primitives

/// What a body of events is.
package enum EventFormat: Sendable {
    /// One event, or an array of them.
    case json
    /// One event a line; blank lines do not count.
    case ndjson
    /// One CloudEvent 1.0 in structured mode.
    case cloudEvent
    /// An array of CloudEvents.
    case cloudEventBatch
    /// A CloudEvent in binary mode (HTTP protocol binding 1.0, section 3.1): the body is its data.
    /// `attributes` are the `ce-` headers as they came, names without that prefix in any case,
    /// values as their bytes, still percent-encoded: they need not be UTF-8. Without a content type
    /// the body is taken as JSON.
    case binary(attributes: [(name: String, value: [UInt8])], contentType: [UInt8]?)
}

/// What an event gets that does not say it.
package struct EventDefaults {
    /// Borrowed for the call.
    package var source: UnsafeRawBufferPointer
    /// Milliseconds since 1970: the time of events without one, and of generated ids.
    package var now: Int64
    /// The id of an event without one, for a body of one event; nil makes a new one.
    package var id: Key128?
    /// The types that the sender is bound to; nil takes all.
    package var types: EventTypePatterns?

    package init(
        source: UnsafeRawBufferPointer, now: Int64, id: Key128? = nil,
        types: EventTypePatterns? = nil
    ) {
        self.source = source
        self.now = now
        self.id = id
        self.types = types
    }
}

/// The bounds of `openapi.yaml` on events.
package struct EventLimits: Sendable {
    /// In one body, refused ones included.
    package var eventsPerBatch = 100_000
    /// Of one event as it was sent.
    package var eventBytes = 256 << 10
    /// The event itself is the first level.
    package var jsonDepth = 32

    package init() {}

    /// The journal's form counts these in 8 and 16 bits, and the store indexes them.
    static let typeBytes = 255
    static let idBytes = 255
    static let sourceBytes = 1024
    static let subjectBytes = 1024
}
