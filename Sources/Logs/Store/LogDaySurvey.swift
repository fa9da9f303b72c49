import SQLite
import Storage

/// What a day's file says of itself, from its counts: no row is read.
struct LogDaySurvey {
    /// The highest number of a record that the file has seen.
    let arrival: Int64
    let records: Int64
    /// Of its records; the empty name if some have none.
    let services: [String]

    init(path: String) throws(StorageError) {
        do throws(SQLiteError) {
            let connection = try Connection(path: path, role: .reader)
            try connection.execute("BEGIN")
            arrival = try connection.integer("SELECT arrival FROM meta") ?? 0
            records = try connection.integer("SELECT sum(records) FROM counts") ?? 0
            let names = try connection.prepare(
                """
                SELECT coalesce((SELECT text FROM names WHERE id = c.service), '')
                FROM (SELECT DISTINCT service FROM counts) AS c
                """)
            var services: [String] = []
            while try names.step() { services.append(names.text(0)) }
            self.services = services
        } catch {
            throw StorageError(error, path)
        }
    }
}
