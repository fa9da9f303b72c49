import Primitives
import Storage

/// Chooses the partition of an event: events about one subject stay in order behind one another.
///
/// CRC-32C of `subject` modulo the number of partitions; without a subject, of `source`; without
/// either, in turn, and by the event's place in the journal, so that a retry chooses the same.
struct StreamPartitioner: Sendable {
    private let partitions: Int
    private let anonymousSource: Bytes

    init(_ options: StreamOptions) {
        partitions = options.partitions
        anonymousSource = options.anonymousSource
    }

    /// - Parameters:
    ///   - sequence: of the event's record.
    ///   - index: the event's place in the record.
    func partition(_ event: EventRow, sequence: UInt64, index: Int) -> Int {
        if partitions == 1 { return 0 }
        if let subject = event.subject { return partition(subject) }
        if !event.source.elementsEqual(anonymousSource.span) { return partition(event.source) }
        return Int((sequence &+ UInt64(index)) % UInt64(partitions))
    }

    private func partition(_ name: UnsafeRawBufferPointer) -> Int {
        Int(crc32c(name) % UInt32(partitions))
    }
}
