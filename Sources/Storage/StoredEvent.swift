import Primitives
import SQLite

/// An event as the store holds it.
package struct StoredEvent: Sendable, Equatable {
    /// Its place in the order of storing, on this node only.
    package let seq: Int64
    package let id: String
    /// The service gave it its id, which then stands for it without the source.
    package let hasGeneratedID: Bool
    package let type: String
    package let source: String
    package let subject: String?
    /// Milliseconds since 1970.
    package let time: Int64
    /// JSON text.
    package let data: [UInt8]?
    /// A JSON object with the CloudEvents extensions.
    package let extensions: [UInt8]?

    static let columns = "seq, time, type_id, source_id, key, id, subject, data, extensions"

    /// Reads the current row of a statement that selects `columns`.
    init(_ row: Statement, names: EventNames) throws(SQLiteError) {
        seq = row.integer(0)
        time = row.integer(1)
        type = try names.type(row.integer(2))
        source = try names.source(row.integer(3))
        hasGeneratedID = row.isNull(5)
        id = row.textOrNil(5) ?? StoredEvent.uuid(row.key(4))
        subject = row.textOrNil(6)
        data = row.isNull(7) ? nil : Array(row.bytes(7))
        extensions = row.isNull(8) ? nil : Array(row.bytes(8))
    }

    /// The text of an id that the service gave.
    static func uuid(_ key: Key128?) -> String {
        guard let key else { return "" }
        var text = ByteBuffer(capacity: 36)
        text.append(uuid: key)
        return text.text
    }
}
