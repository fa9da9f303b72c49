import Primitives

/// What a segment file begins with: 64 bytes, twice, each in a sector of its own, so that one
/// damaged copy costs nothing. Records follow at `bytes`.
///
///     0  magic           UInt64  "MRJSEG01"
///     8  salt            UInt32  continued by the CRC of every record header in the segment
///     12 zero            UInt32
///     16 ordinal         UInt64  counts segments in the order of their use
///     24 first sequence  UInt64  0 while the segment is a spare
///     32 zeros
///     60 CRC-32C         UInt32  over the 60 bytes before it
///
/// All little-endian. The salt is random: nobody who posts events can forge a record inside a
/// payload, for a reader that looks for the next record behind damage to find. A segment is valid
/// for sequences below the first one of every segment with a higher ordinal; so after a failed
/// fsync a new segment takes over simply by beginning with the first sequence in doubt.
struct JournalSegmentHeader: Equatable {
    static let magic: UInt64 = 0x3130_4745_534A_524D
    static let copyBytes = 64
    static let copyOffsets = [0, 512]
    /// The first record's offset.
    static let bytes = 1024

    var salt: UInt32
    var ordinal: UInt64
    var first: UInt64

    var isSpare: Bool { first == 0 }

    /// Writes both copies into `block`, which is `bytes` long and otherwise zero.
    func write(to block: UnsafeMutableRawBufferPointer) {
        for offset in JournalSegmentHeader.copyOffsets {
            let copy = UnsafeMutableRawBufferPointer(
                rebasing: block[offset..<offset + JournalSegmentHeader.copyBytes])
            copy.storeBytes(of: JournalSegmentHeader.magic.littleEndian, as: UInt64.self)
            copy.storeBytes(of: salt.littleEndian, toByteOffset: 8, as: UInt32.self)
            copy.storeBytes(of: ordinal.littleEndian, toByteOffset: 16, as: UInt64.self)
            copy.storeBytes(of: first.littleEndian, toByteOffset: 24, as: UInt64.self)
            let checksum = crc32c(UnsafeRawBufferPointer(rebasing: copy[..<60]))
            copy.storeBytes(of: checksum.littleEndian, toByteOffset: 60, as: UInt32.self)
        }
    }

    /// Reads the first copy that is whole.
    /// - Returns: nil if none is; `isDamaged` says that one of them is not.
    static func read(
        _ block: UnsafeRawBufferPointer
    ) -> (header: JournalSegmentHeader, isDamaged: Bool)? {
        let copies = copyOffsets.map { offset -> JournalSegmentHeader? in
            guard offset + copyBytes <= block.count else { return nil }
            return JournalSegmentHeader(
                copy: UnsafeRawBufferPointer(rebasing: block[offset..<offset + copyBytes]))
        }
        guard let header = copies.compactMap({ $0 }).first else { return nil }
        return (header, copies.contains { $0 != header })
    }

    init(salt: UInt32, ordinal: UInt64, first: UInt64) {
        self.salt = salt
        self.ordinal = ordinal
        self.first = first
    }

    private init?(copy: UnsafeRawBufferPointer) {
        guard
            UInt64(littleEndian: copy.loadUnaligned(as: UInt64.self))
                == JournalSegmentHeader.magic,
            UInt32(littleEndian: copy.loadUnaligned(fromByteOffset: 60, as: UInt32.self))
                == crc32c(UnsafeRawBufferPointer(rebasing: copy[..<60]))
        else { return nil }
        salt = UInt32(littleEndian: copy.loadUnaligned(fromByteOffset: 8, as: UInt32.self))
        ordinal = UInt64(littleEndian: copy.loadUnaligned(fromByteOffset: 16, as: UInt64.self))
        first = UInt64(littleEndian: copy.loadUnaligned(fromByteOffset: 24, as: UInt64.self))
        guard ordinal < JournalRecord.sequenceLimit, first < JournalRecord.sequenceLimit else {
            return nil
        }
    }
}
