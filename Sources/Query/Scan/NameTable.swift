import Primitives
import SQLite

/// The names behind the numbers of types or of sources, each looked up once. Belongs to its
/// connection's thread.
final class NameTable {
    private let connection: Connection
    private let sql: String
    private var names: [Int64: Bytes] = [:]

    /// - Parameter table: `event_types` or `event_sources`.
    init(_ table: String, _ connection: Connection) {
        self.connection = connection
        sql = "SELECT name FROM \(table) WHERE id = ?1"
    }

    /// Lives as long as the table. A number without a name, which only a damaged file has, is null.
    func name(_ id: Int64) throws(SQLiteError) -> QueryValue {
        if let name = names[id] { return .text(name.span) }
        let statement = try connection.cached(sql)
        defer { statement.reset() }
        statement.bind(1, id)
        guard try statement.step() else { return .null }
        let name = Bytes(statement.bytes(0))
        names[id] = name
        return .text(name.span)
    }

    /// Memory in use, about.
    var byteCount: Int { names.count * 128 }
}
