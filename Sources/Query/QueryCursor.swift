import Primitives

/// Where the next page begins: 74 hexadecimal digits that clients pass back as they are.
///
/// The rows of an aggregate are computed as a whole for every page, so a position by keys would
/// save nothing; a count of rows is enough. The cursor carries the moment of the first page, which
/// keeps `from=-24h` where it was, the number of the last event that the first page has seen, so that
/// events which arrive between two pages change neither, and the query's fingerprint, so that it fits
/// no other query. It also says whether the first page was made of sketches, so that the others are
/// and no column is approximate on some of them only. Only what retention deletes in between can still move a row.
struct QueryCursor: Hashable, Sendable {
    var fingerprint: UInt64
    /// Milliseconds since 1970.
    var now: Int64
    /// Rows on the pages before.
    var offset: Int
    /// The greatest `seq` that counts.
    var lastSeq: Int64
    /// The pages before were made of sketches, see `ScanLayout.isSketched`.
    var isSketched: Bool

    private static let version: UInt64 = 3
    private static let digits = 74

    private static let malformed = QueryError(
        .badRequest, code: "invalid_cursor", "cursor must be the next of an earlier answer",
        parameter: "cursor")
    static let foreign = QueryError(
        .badRequest, code: "invalid_cursor", "cursor must be used with the query that it came from",
        parameter: "cursor")

    init(fingerprint: UInt64, now: Int64, offset: Int, lastSeq: Int64, isSketched: Bool) {
        self.fingerprint = fingerprint
        self.now = now
        self.offset = offset
        self.lastSeq = lastSeq
        self.isSketched = isSketched
    }

    init(_ text: String) throws(QueryError) {
        let bytes = Array(text.utf8)
        guard bytes.count == Self.digits,
            let version = Self.hex(bytes[0..<8]), version == Self.version,
            let fingerprint = Self.hex(bytes[8..<24]), let now = Self.hex(bytes[24..<40]),
            let offset = Self.hex(bytes[40..<56]), offset <= UInt64(UInt32.max),
            let lastSeq = Self.hex(bytes[56..<72]), lastSeq <= UInt64(Int64.max),
            let isSketched = Self.hex(bytes[72..<74]), isSketched <= 1,
            Timestamp.range.contains(Int64(bitPattern: now))
        else { throw Self.malformed }
        self.init(
            fingerprint: fingerprint, now: Int64(bitPattern: now), offset: Int(offset),
            lastSeq: Int64(lastSeq), isSketched: isSketched == 1)
    }

    var text: String {
        var digits = ByteBuffer(capacity: Self.digits)
        digits.append(hex: Self.version, digits: 8)
        digits.append(hex: fingerprint, digits: 16)
        digits.append(hex: UInt64(bitPattern: now), digits: 16)
        digits.append(hex: UInt64(offset), digits: 16)
        digits.append(hex: UInt64(bitPattern: lastSeq), digits: 16)
        digits.append(hex: isSketched ? 1 : 0, digits: 2)
        return digits.text
    }

    private static func hex(_ digits: ArraySlice<UInt8>) -> UInt64? {
        var value: UInt64 = 0
        for digit in digits {
            switch digit {
            case 0x30...0x39: value = value << 4 | UInt64(digit - 0x30)
            case 0x61...0x66: value = value << 4 | UInt64(digit - 0x57)
            default: return nil
            }
        }
        return value
    }
}
