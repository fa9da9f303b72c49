import Primitives

/// One event as the store takes it. Its bytes are borrowed from the batch being written.
package struct EventRow {
    /// What makes an event the same event.
    package enum Identity {
        /// The service gave it this UUIDv7.
        case generated(Key128)
        /// The client's own id, unique within `source`.
        case client(UnsafeRawBufferPointer)
    }

    package var identity: Identity
    /// Milliseconds since 1970.
    package var time: Int64
    package var type: UnsafeRawBufferPointer
    package var source: UnsafeRawBufferPointer
    package var subject: UnsafeRawBufferPointer?
    /// JSON text.
    package var data: UnsafeRawBufferPointer?
    /// A JSON object with the members beside the attributes: CloudEvents extensions.
    package var extensions: UnsafeRawBufferPointer?

    package init(
        identity: Identity, time: Int64, type: UnsafeRawBufferPointer,
        source: UnsafeRawBufferPointer, subject: UnsafeRawBufferPointer?,
        data: UnsafeRawBufferPointer?, extensions: UnsafeRawBufferPointer?
    ) {
        self.identity = identity
        self.time = time
        self.type = type
        self.source = source
        self.subject = subject
        self.data = data
        self.extensions = extensions
    }
}
