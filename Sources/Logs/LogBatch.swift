import Primitives

/// Masked records, one behind the other in one piece of memory.
///
///     var records = batch.records
///     while let record = records.next() { … }
///
/// One thread fills it through a `LogBatchWriter`; from then on it only changes hands, and any
/// thread may read it.
package final class LogBatch: @unchecked Sendable {  // Written before it is shared, then only read.
    private var bytes: ByteBuffer
    package private(set) var count = 0

    init(capacity: Int = 4096) { bytes = ByteBuffer(capacity: capacity) }

    package var isEmpty: Bool { count == 0 }
    /// What queues count it as.
    package var byteCount: Int { bytes.count }
    /// Borrowed from this batch, which must outlive this and every record of it.
    package var records: LogRecords { LogRecords(bytes.span) }

    /// Appends a record as `LogBatchWriter` leaves it: masked, and with no field above 4 GiB.
    func append(_ record: LogRecord) {
        bytes.append(record)
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

/// How a record lies in a batch: fixed fields, the lengths of the others, then their bytes. This form
/// never leaves the process.
enum LogForm {
    static let severityOffset = 5
    static let timeOffset = 8
    static let observedOffset = 16
    static let traceOffset = 24
    static let spanOffset = 40
    static let traceFlagsOffset = 48
    static let lengthsOffset = 52
    static let headerBytes = lengthsOffset + 8 * 4

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
        record.service = field(2)
        record.attributes = field(3)
        record.resource = field(4)
        record.scopeName = field(5)
        record.scopeVersion = field(6)
        record.eventName = field(7)
        return (record, next - start)
    }
}

extension ByteBuffer {
    /// Appends a record in the form of a batch.
    mutating func append(_ record: LogRecord) {
        let fields = (
            record.severityText, record.body, record.service, record.attributes, record.resource,
            record.scopeName, record.scopeVersion, record.eventName
        )
        let header = spare(LogForm.headerBytes)
        func put<Number: FixedWidthInteger>(_ value: Number, _ offset: Int) {
            header.storeBytes(of: value, toByteOffset: offset, as: Number.self)
        }
        put(UInt32(0), 0)
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
        commit(LogForm.headerBytes)
        append(fields.0)
        append(fields.1)
        append(fields.2)
        append(fields.3)
        append(fields.4)
        append(fields.5)
        append(fields.6)
        append(fields.7)
    }
}
