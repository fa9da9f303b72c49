import Primitives

/// The first page of a run's file, and where the rest lies:
///
///     0                 header        magic, fields below, CRC-32C
///     4096              blocks        255 entries of 16 bytes, then a trailer of 16 bytes
///     after the blocks  fences        the first fingerprint of each block, 8 bytes each
///     after the fences  filter        64 bytes a block of it
///
/// All little-endian. A block's trailer has its number and the CRC-32C of the block up to there, so
/// that each read is checked; fences and filter have one sum, checked when the run is opened.
struct IdentityRunHeader: Equatable {
    static let pageBytes = 4096
    static let entryBytes = 16
    static let entriesPerBlock = 255
    private static let magic: UInt64 = 0x314E_5552_4449_524D  // "MRIDRUN1"
    private static let fieldBytes = 72

    /// Tells the files of this store from those of another.
    var store: UInt64
    var range: SeqRange
    /// The fingerprint of the row `range.last`; 0 if it was not there any more. A file that was made in
    /// another past of this store (the database was put back from a copy) has another row there.
    var lastFingerprint: UInt64 = 0
    var entryCount = 0
    var blockCount = 0
    var filterBlockCount = 0
    var indexSum: UInt32 = 0

    var fencesOffset: Int { IdentityRunHeader.pageBytes * (1 + blockCount) }
    var filterOffset: Int { fencesOffset + blockCount * 8 }
    var fileBytes: Int { filterOffset + filterBlockCount * IdentityFilter.blockBytes }

    /// Replaces what `page` holds by the header's page.
    func encode(into page: inout ByteBuffer) {
        page.removeAll()
        for field in [
            IdentityRunHeader.magic, store, UInt64(bitPattern: range.after),
            UInt64(bitPattern: range.last), lastFingerprint, UInt64(entryCount), UInt64(blockCount),
            UInt64(filterBlockCount), UInt64(indexSum),
        ] { page.append(littleEndian: field) }
        page.append(littleEndian: crc32c(page.span))
        while page.count < IdentityRunHeader.pageBytes { page.append(UInt8(0)) }
    }

    /// - Throws: `damaged`.
    init(decoding page: UnsafeRawBufferPointer, path: String) throws(IdentityFileError) {
        let fields = UnsafeRawBufferPointer(rebasing: page[..<IdentityRunHeader.fieldBytes])
        let sum = UInt32(
            littleEndian: page.loadUnaligned(
                fromByteOffset: IdentityRunHeader.fieldBytes, as: UInt32.self))
        func field(_ index: Int) -> UInt64 {
            UInt64(littleEndian: fields.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self))
        }
        guard field(0) == IdentityRunHeader.magic, sum == crc32c(fields) else {
            throw .damaged("\(path) has no whole header")
        }
        store = field(1)
        range = SeqRange(
            after: Int64(bitPattern: field(2)), last: Int64(bitPattern: field(3)))
        lastFingerprint = field(4)
        entryCount = Int(truncatingIfNeeded: field(5))
        blockCount = Int(truncatingIfNeeded: field(6))
        filterBlockCount = Int(truncatingIfNeeded: field(7))
        indexSum = UInt32(truncatingIfNeeded: field(8))
    }

    init(store: UInt64, range: SeqRange) {
        self.store = store
        self.range = range
    }

    /// What the run's file is called.
    var name: String { IdentityRunHeader.name(of: range) }

    static func name(of range: SeqRange) -> String { "\(range.after)-\(range.last).run" }
}
