import Primitives

/// Masked records, one behind the other in one piece of memory.
///
///     var records = batch.records
///     while let record = records.next() { … }
///
/// A record whose resource or scope is that of the record before shares its bytes: a resource of
/// 250 KiB above 100,000 records is there once.
///
/// One thread fills it through a `LogBatchWriter`; from then on it only changes hands, and any
/// thread may read it.
package final class LogBatch: @unchecked Sendable {  // Written before it is shared, then only read.
    private var bytes: ByteBuffer
    package private(set) var count = 0
    /// Bytes of the records if each had its own resource and scope.
    package private(set) var expandedBytes = 0
    /// Where the last resource and the last scope were written.
    private var resourceStart = 0
    private var scopeStart = 0

    init(capacity: Int = 4096) { bytes = ByteBuffer(capacity: capacity) }

    package var isEmpty: Bool { count == 0 }
    /// What queues count it as.
    package var byteCount: Int { bytes.count }
    /// Borrowed from this batch, which must outlive this and every record of it.
    package var records: LogRecords { LogRecords(bytes.span) }

    /// Appends a record as `LogBatchWriter` leaves it: masked, and with no field above 4 GiB.
    /// - Parameters:
    ///   - sharesResource: its service and resource are those that were written last; the resource may
    ///     be missing.
    ///   - sharesScope: its scope is the one that was written last.
    func append(_ record: LogRecord, sharesResource: Bool = false, sharesScope: Bool = false) {
        let start = bytes.count
        let resource = sharesResource ? UInt32(exactly: start - resourceStart) ?? 0 : 0
        let scope = sharesScope ? UInt32(exactly: start - scopeStart) ?? 0 : 0
        bytes.append(record, resourceDistance: resource, scopeDistance: scope)
        let ownBytes = LogForm.ownBytes(of: record)
        let scopeBytes = record.scopeName.count + record.scopeVersion.count
        if scope == 0 { scopeStart = start + ownBytes }
        if resource == 0 { resourceStart = start + ownBytes + (scope == 0 ? scopeBytes : 0) }
        expandedBytes += ownBytes + scopeBytes + record.service.count + record.resource.count
        count += 1
    }
}

/// The records of a batch in their order.
package struct LogRecords {
    private let bytes: UnsafeRawBufferPointer
    /// Where the next record begins.
    private(set) var offset = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// The record that begins at `offset`.
    func record(at offset: Int) -> LogRecord { LogForm.read(bytes, at: offset).record }

    /// The next record, borrowed from the batch; nil at the end.
    package mutating func next() -> LogRecord? {
        guard offset < bytes.count else { return nil }
        let (record, length) = LogForm.read(bytes, at: offset)
        offset += length
        return record
    }
}

/// How a record lies in a batch: fixed fields, the lengths of the others, then their bytes; scope,
/// service and resource come last. A record that shares its scope, or service and resource, has their
/// lengths alone, and how far before its first byte they are. This form never leaves the process.
enum LogForm {
    /// 0: it has its own.
    static let resourceDistanceOffset = 0
    static let severityOffset = 5
    static let timeOffset = 8
    static let observedOffset = 16
    static let traceOffset = 24
    static let spanOffset = 40
    static let traceFlagsOffset = 48
    static let lengthsOffset = 52
    static let scopeDistanceOffset = lengthsOffset + 8 * 4
    static let headerBytes = scopeDistanceOffset + 4

    /// What a record takes, but for its scope, service and resource.
    static func ownBytes(of record: LogRecord) -> Int {
        headerBytes + record.severityText.count + record.body.count + record.attributes.count
            + record.eventName.count
    }

    /// - Parameter bytes: what `ByteBuffer.append(_: LogRecord)` wrote.
    static func read(
        _ bytes: UnsafeRawBufferPointer, at start: Int
    ) -> (record: LogRecord, length: Int) {
        func number<Number: FixedWidthInteger>(_ offset: Int, _ type: Number.Type) -> Number {
            bytes.loadUnaligned(fromByteOffset: start + offset, as: Number.self)
        }
        var next = start + headerBytes
        func field(_ index: Int) -> UnsafeRawBufferPointer {
            let count = Int(number(lengthsOffset + index * 4, UInt32.self))
            defer { next += count }
            return UnsafeRawBufferPointer(rebasing: bytes[next..<next + count])
        }
        var record = LogRecord(
            time: number(timeOffset, Int64.self), observed: number(observedOffset, Int64.self))
        record.flags = LogRecord.Flags(rawValue: bytes[start + 4])
        record.severity = bytes[start + severityOffset]
        record.traceID = Key128(
            high: number(traceOffset, UInt64.self), low: number(traceOffset + 8, UInt64.self))
        record.spanID = number(spanOffset, UInt64.self)
        record.traceFlags = number(traceFlagsOffset, UInt32.self)
        record.severityText = field(0)
        record.body = field(1)
        record.attributes = field(2)
        record.eventName = field(3)
        var ownEnd = next
        func enter(_ distanceOffset: Int) {
            let distance = Int(number(distanceOffset, UInt32.self))
            next = distance > 0 ? start - distance : ownEnd
        }
        func leave(_ distanceOffset: Int) {
            if number(distanceOffset, UInt32.self) == 0 { ownEnd = next }
        }
        enter(scopeDistanceOffset)
        record.scopeName = field(4)
        record.scopeVersion = field(5)
        leave(scopeDistanceOffset)
        enter(resourceDistanceOffset)
        record.service = field(6)
        record.resource = field(7)
        leave(resourceDistanceOffset)
        return (record, ownEnd - start)
    }
}

extension ByteBuffer {
    /// Appends a record in the form of a batch.
    /// - Parameters:
    ///   - resourceDistance: how far before the record its service and resource are; 0: it has its
    ///     own.
    ///   - scopeDistance: the same for its scope.
    mutating func append(_ record: LogRecord, resourceDistance: UInt32, scopeDistance: UInt32) {
        let fields = (
            record.severityText, record.body, record.attributes, record.eventName,
            record.scopeName, record.scopeVersion, record.service, record.resource
        )
        let header = spare(LogForm.headerBytes)
        func put<Number: FixedWidthInteger>(_ value: Number, _ offset: Int) {
            header.storeBytes(of: value, toByteOffset: offset, as: Number.self)
        }
        put(resourceDistance, LogForm.resourceDistanceOffset)
        put(record.flags.rawValue, 4)
        put(record.severity, LogForm.severityOffset)
        put(UInt16(0), LogForm.severityOffset + 1)
        put(record.time, LogForm.timeOffset)
        put(record.observed, LogForm.observedOffset)
        put(record.traceID.high, LogForm.traceOffset)
        put(record.traceID.low, LogForm.traceOffset + 8)
        put(record.spanID, LogForm.spanOffset)
        put(record.traceFlags, LogForm.traceFlagsOffset)
        put(UInt32(fields.0.count), LogForm.lengthsOffset)
        put(UInt32(fields.1.count), LogForm.lengthsOffset + 4)
        put(UInt32(fields.2.count), LogForm.lengthsOffset + 8)
        put(UInt32(fields.3.count), LogForm.lengthsOffset + 12)
        put(UInt32(fields.4.count), LogForm.lengthsOffset + 16)
        put(UInt32(fields.5.count), LogForm.lengthsOffset + 20)
        put(UInt32(fields.6.count), LogForm.lengthsOffset + 24)
        put(UInt32(fields.7.count), LogForm.lengthsOffset + 28)
        put(scopeDistance, LogForm.scopeDistanceOffset)
        commit(LogForm.headerBytes)
        append(fields.0)
        append(fields.1)
        append(fields.2)
        append(fields.3)
        if scopeDistance == 0 {
            append(fields.4)
            append(fields.5)
        }
        if resourceDistance == 0 {
            append(fields.6)
            append(fields.7)
        }
    }
}
