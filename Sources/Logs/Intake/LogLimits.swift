/// The bounds of `openapi.yaml` on logs.
package struct LogLimits: Sendable {
    /// In one body, refused ones included.
    package var recordsPerBatch = 100_000
    /// Of one record: its message, attributes and resource together. What is longer is cut.
    package var recordBytes = 256 << 10
    /// Of one record as it was sent; a larger one is refused unread: parsing it takes up to 50 times
    /// as much memory, and at most a fraction of it would be kept.
    package var rawRecordBytes = 1 << 20
    /// The record itself is the first level.
    package var jsonDepth = 32

    package init() {}

    /// A clock may run ahead a little; a day that is not here yet gets no file.
    package static let aheadMilliseconds: Int64 = 86_400_000

    /// Of the records of one body together, each with its resource, as files and searches have them.
    /// OTLP says a resource once for many records.
    package static let batchBytes = 512 << 20

    /// Of service, level text, event name, scope name and version; what is longer is cut. The form
    /// of a batch counts them in 16 bits.
    static let nameBytes = 1024
}
