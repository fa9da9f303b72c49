import SQLite

/// The names behind the numbers of types and sources, looked up once for each page.
final class EventNames {
    private let connection: Connection
    private var types: [Int64: String] = [:]
    private var sources: [Int64: String] = [:]

    init(_ connection: Connection) { self.connection = connection }

    func type(_ id: Int64) throws(SQLiteError) -> String {
        if let name = types[id] { return name }
        let name = try lookUp("SELECT name FROM event_types WHERE id = ?1", id)
        types[id] = name
        return name
    }

    func source(_ id: Int64) throws(SQLiteError) -> String {
        if let name = sources[id] { return name }
        let name = try lookUp("SELECT name FROM event_sources WHERE id = ?1", id)
        sources[id] = name
        return name
    }

    private func lookUp(_ sql: String, _ id: Int64) throws(SQLiteError) -> String {
        let statement = try connection.cached(sql)
        defer { statement.reset() }
        statement.bind(1, id)
        return try statement.step() ? statement.text(0) : ""
    }
}
