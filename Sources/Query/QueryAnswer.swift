import Primitives
import Storage

/// An answer, written out: what varies from request to request is outside `body`.
package struct QueryAnswer: Sendable {
    package struct Column: Hashable, Sendable {
        package let name: String
        package let type: ColumnType
        /// Its values come from sketches, within their stated error.
        package var isApproximate = false
    }

    /// What the values of a column are; `null` may be among them.
    package enum ColumnType: String, Hashable, Sendable {
        case time, text, integer, real, boolean
        /// Objects and arrays.
        case json
        /// Of several kinds; or all null, or no rows, where only values could tell.
        case any
    }

    package let columns: [Column]
    package let rowCount: Int
    /// The cursor of the next page; nil on the last one. JSON says it in the body as well.
    package let next: String?
    /// How `body` is written.
    package let format: QueryFormat
    package let body: Bytes
    /// Of the asked types in the minutes of the range, read in the same snapshot as the rows. As long
    /// as the count is the same on one node, or the set hash on two, so is the answer.
    package let generation: GenerationState
    /// When the snapshot was taken, milliseconds since 1970.
    package let computedAt: Int64
    /// There were more rows, of which there is no next page.
    package var isCut = false

    /// Some of it comes from sketches.
    package var isApproximate: Bool { columns.contains { $0.isApproximate } }

    /// There are more rows than this page holds; `next`, if any, is where they begin.
    package var isTruncated: Bool { isCut || next != nil }

    /// A strong validator of `body` (RFC 9110, section 8.8.3), with its quotation marks. O(n) in the
    /// bytes.
    package var etag: String {
        let sum = Key128(hashing: body.span, key: Key128(high: 0x6574_6167, low: 1))
        var text = ByteBuffer(capacity: 34)
        text.append("\"")
        text.append(hex: sum.high, digits: 16)
        text.append(hex: sum.low, digits: 16)
        text.append("\"")
        return text.text
    }
}

/// What an answer was computed from.
struct QuerySnapshot {
    var generation: GenerationState
    /// The greatest `seq` that counts: of a later page, the one that its first page has seen.
    var lastSeq: Int64
    /// The greatest `seq` there is.
    var newestSeq: Int64 = 0
    /// Milliseconds since 1970.
    var takenAt: Int64
}
