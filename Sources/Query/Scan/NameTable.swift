import Primitives
import SQLite

/// The names behind the numbers of types or of sources, each looked up once. Belongs to its
/// connection's thread.
final class NameTable {
    private let connection: Connection
    private let sql: String
    private let isTrusted: Bool
    private var names: [Int64: Bytes] = [:]
    /// Memory in use, about.
    private(set) var byteCount = 0

    /// Of a name beside its bytes: its object and its place in the table, half of which is free.
    private static let overheadBytes = 128

    /// - Parameters:
    ///   - table: `event_types` or `event_sources`.
    ///   - isTrusted: the connection is restricted, and the names are looked up all the same.
    init(_ table: String, _ connection: Connection, isTrusted: Bool = false) {
        self.connection = connection
        self.isTrusted = isTrusted
        sql = "SELECT name FROM \(table) WHERE id = ?1"
    }

    /// Lives as long as the table. A number without a name, which only a damaged file has, is null.
    func name(_ id: Int64) throws(SQLiteError) -> QueryValue {
        if let name = names[id] { return .text(name.span) }
        let name =
            isTrusted
            ? try connection.trusted { () throws(SQLiteError) in try lookUp(id) } : try lookUp(id)
        guard let name else { return .null }
        names[id] = name
        byteCount += name.count + NameTable.overheadBytes
        return .text(name.span)
    }

    private func lookUp(_ id: Int64) throws(SQLiteError) -> Bytes? {
        let statement = try connection.cached(sql)
        defer { statement.reset() }
        statement.bind(1, id)
        return try statement.step() ? Bytes(statement.bytes(0)) : nil
    }

}
