import Primitives

/// What a record's header says, once its checksum has held.
struct JournalRecordHeader {
    let payloadBytes: Int
    let payloadChecksum: UInt32
    let eventCount: Int
    let sequence: UInt64

    /// Reads the header at the start of `bytes`, which are at least `JournalRecord.headerBytes`.
    /// - Returns: nil unless it was written with `salt` and is whole.
    init?(_ bytes: UnsafeRawBufferPointer, salt: UInt32) {
        let magic = bytes.loadUnaligned(as: UInt32.self)
        guard UInt32(littleEndian: magic) == JournalRecord.magic else { return nil }
        let checksum = bytes.loadUnaligned(
            fromByteOffset: JournalRecord.headerChecksumOffset, as: UInt32.self)
        let covered = UnsafeRawBufferPointer(
            rebasing: bytes[..<JournalRecord.headerChecksumOffset])
        guard UInt32(littleEndian: checksum) == crc32c(covered, seed: salt) else { return nil }
        payloadBytes = Int(
            UInt32(
                littleEndian: bytes.loadUnaligned(
                    fromByteOffset: JournalRecord.payloadBytesOffset, as: UInt32.self)))
        payloadChecksum = UInt32(
            littleEndian: bytes.loadUnaligned(
                fromByteOffset: JournalRecord.payloadChecksumOffset, as: UInt32.self))
        eventCount = Int(
            UInt32(
                littleEndian: bytes.loadUnaligned(
                    fromByteOffset: JournalRecord.eventCountOffset, as: UInt32.self)))
        sequence = UInt64(
            littleEndian: bytes.loadUnaligned(
                fromByteOffset: JournalRecord.sequenceOffset, as: UInt64.self))
        guard sequence < JournalRecord.sequenceLimit else { return nil }
    }

    /// Header, payload and the zeros behind it.
    var recordBytes: Int {
        let end = JournalRecord.headerBytes + payloadBytes
        return (end + JournalRecord.alignment - 1) & ~(JournalRecord.alignment - 1)
    }
}

/// A record as a reader hands it out.
package struct JournalEntry {
    package let sequence: UInt64
    package let eventCount: Int
    /// Borrowed from the reader until its next call.
    package let payload: UnsafeRawBufferPointer
}
