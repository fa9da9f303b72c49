import Primitives

/// An answer, written out: what varies from request to request is outside `body`.
package struct QueryResult: Sendable {
    package struct Column: Hashable, Sendable {
        package let name: String
        package let type: ColumnType
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
    package let mediaType: String
    package let body: Bytes

    /// There are more rows than this page holds; `next` is where they begin.
    package var isTruncated: Bool { next != nil }
}
