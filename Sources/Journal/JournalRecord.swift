import Primitives
import Telemetry

/// How a record lies in a segment: a header of 32 bytes, then the payload, then zeros up to a
/// multiple of eight.
///
///     0  magic           UInt32  "MRJ1"
///     4  payload bytes   UInt32
///     8  payload CRC-32C UInt32
///     12 events          UInt32
///     16 sequence        UInt64  first record of a journal is 1; each record adds 1
///     24 flags           UInt32  0
///     28 header CRC-32C  UInt32  over the 28 bytes before it, continued from the segment's salt
///
/// All little-endian. The header has a checksum of its own, so a length can be trusted before the
/// payload is read, and a damaged payload can be stepped over.
package enum JournalRecord {
    package static let magic: UInt32 = 0x314A_524D
    package static let headerBytes = 32
    /// A batch is cut into records of about this size, far below a segment's 16 MiB.
    package static let splitBytes = 1 << 20
    package static let alignment = 8
    /// More than any journal will see; a file that says otherwise must not overflow our counters.
    static let sequenceLimit: UInt64 = 1 << 62
    /// Zeros behind each write: a header that cannot be, so a clean end is told from a torn one.
    static let endMarkBytes = 32

    static let payloadBytesOffset = 4
    static let payloadChecksumOffset = 8
    static let eventCountOffset = 12
    static let sequenceOffset = 16
    static let headerChecksumOffset = 28
}

/// Records on their way to the journal: what one thread encoded and hands over at once.
/// One thread at a time owns it: `Journal.submit` passes it on, its completion gives it back.
package final class JournalBatch: @unchecked Sendable {  // Handed from owner to owner.
    /// Whole records one behind the other; sequence and header checksum are still missing.
    package var bytes = ByteBuffer(capacity: 64 << 10)
    package private(set) var recordCount = 0
    package private(set) var eventCount = 0
    /// Whose requests the events come from. It stays in memory; the files do not hold it.
    package var traces = TraceLinks()
    private var openRecord: Int?
    private var openEvents = 0
    /// Whatever the submitter wants to find again in the completion. The journal never looks.
    package var owner: AnyObject?

    package init() {}

    package var isEmpty: Bool { recordCount == 0 }
    /// Between records: nothing was begun that has not ended.
    var isWhole: Bool { openRecord == nil }

    /// A place to return to.
    package struct Mark: Sendable {
        let bytes: Int
        let records: Int
        let events: Int
        let traces: TraceLinks
    }

    /// Only between records.
    package var mark: Mark {
        Mark(bytes: bytes.count, records: recordCount, events: eventCount, traces: traces)
    }

    /// Forgets everything since `mark`, an open record included.
    package func rollback(to mark: Mark) {
        bytes.truncate(to: mark.bytes)
        recordCount = mark.records
        eventCount = mark.events
        traces = mark.traces
        openRecord = nil
        openEvents = 0
    }

    package func removeAll() {
        rollback(to: Mark(bytes: 0, records: 0, events: 0, traces: TraceLinks()))
    }

    /// Opens a record: what is appended to `bytes` from here to `endRecord` is its payload.
    package func beginRecord() {
        precondition(openRecord == nil)
        openRecord = bytes.count
        openEvents = 0
        bytes.append(littleEndian: JournalRecord.magic)
        bytes.append(littleEndian: 0 as UInt32)
        for _ in 0..<3 { bytes.append(littleEndian: 0 as UInt64) }
    }

    /// Call after each event that was appended whole: counts it, and starts a new record when the
    /// open one has grown large.
    package func endEvent() {
        openEvents += 1
        guard let start = openRecord, bytes.count - start >= JournalRecord.splitBytes else {
            return
        }
        endRecord()
        beginRecord()
    }

    /// Closes the open record; one without events leaves no trace.
    package func endRecord() {
        guard let start = openRecord else { return }
        openRecord = nil
        guard openEvents > 0 else { return bytes.truncate(to: start) }
        let payload = UnsafeRawBufferPointer(
            rebasing: bytes.span[(start + JournalRecord.headerBytes)...])
        let checksum = crc32c(payload)
        let count = payload.count
        bytes.set(littleEndian: UInt32(count), at: start + JournalRecord.payloadBytesOffset)
        bytes.set(littleEndian: checksum, at: start + JournalRecord.payloadChecksumOffset)
        bytes.set(littleEndian: UInt32(openEvents), at: start + JournalRecord.eventCountOffset)
        while bytes.count % JournalRecord.alignment != 0 { bytes.append(0 as UInt8) }
        recordCount += 1
        eventCount += openEvents
    }

    /// Gives each record its sequence, counting from `first`, and seals its header with `salt`.
    /// Called by the committer; once more if the batch was refused and is submitted again.
    /// - Returns: the sequence after the last.
    func number(from first: UInt64, salt: UInt32) -> UInt64 {
        var sequence = first
        var offset = 0
        while offset < bytes.count {
            let payloadBytes = bytes.span.loadUnaligned(
                fromByteOffset: offset + JournalRecord.payloadBytesOffset, as: UInt32.self)
            bytes.set(littleEndian: sequence, at: offset + JournalRecord.sequenceOffset)
            let header = UnsafeRawBufferPointer(
                rebasing: bytes.span[offset..<offset + JournalRecord.headerChecksumOffset])
            let checksum = crc32c(header, seed: salt)
            bytes.set(littleEndian: checksum, at: offset + JournalRecord.headerChecksumOffset)
            sequence += 1
            let end = JournalRecord.headerBytes + Int(UInt32(littleEndian: payloadBytes))
            offset += (end + JournalRecord.alignment - 1) & ~(JournalRecord.alignment - 1)
        }
        return sequence
    }
}
