import Primitives
import SQLite

/// What `millrace check` finds out about a store.
package struct IntegrityReport: Sendable, Equatable {
    /// What is wrong, in words; empty if nothing is.
    package var problems: [String] = []
    package var schemaVersion = 0
    /// Events, counted one by one.
    package var rows: Int64 = 0
    package var position: UInt64 = 0
    package var lastSeq: Int64 = 0
    package var quarantined: Int64 = 0
    package var fileBytes: Int64 = 0
    package var logBytes: Int64 = 0

    /// Problems that are named; a damaged file has thousands.
    private static let problemLimit = 20

    /// Reads all of the database at `path`, which may be in use: it only reads. About a second a
    /// GiB.
    /// - Throws: when there is nothing to check: no file, no rights, a foreign file. Damage is no
    ///   error but a finding.
    package init(path: String) throws(StorageError) {
        fileBytes = StoreFile.size(path)
        logBytes = StoreFile.size(path + "-wal")
        do throws(SQLiteError) {
            let connection = try Connection(path: path, role: .reader)
            try connection.execute("BEGIN")
            try checkOwner(connection)
            problems = try IntegrityReport.problems(connection)
            try count(connection)
        } catch {
            guard error.isCorrupt else { throw StorageError(error, path) }
            problems.append(error.message)
        }
        if schemaVersion > Schema.current.version {
            throw StorageError(.newerSchema, "\(path) has schema version \(schemaVersion)")
        }
    }

    private mutating func checkOwner(_ connection: Connection) throws(SQLiteError) {
        schemaVersion = Int(try connection.integer("PRAGMA user_version") ?? 0)
        if try connection.integer("PRAGMA application_id") != Schema.applicationID {
            problems.append("the file does not say that it is a store of this program")
        }
    }

    private mutating func count(_ connection: Connection) throws(SQLiteError) {
        let counters = try StoreCounters(connection)
        position = UInt64(max(0, counters.position))
        lastSeq = counters.lastSeq
        rows = try connection.integer("SELECT count(*) FROM event_rows") ?? 0
        quarantined = try connection.integer("SELECT count(*) FROM quarantine") ?? 0
        let highest = try connection.integer("SELECT max(seq) FROM event_rows") ?? 0
        if rows != counters.rows { problems.append("\(rows) events, \(counters.rows) noted") }
        if highest > lastSeq { problems.append("event \(highest) is beyond \(lastSeq)") }
        if quarantined != counters.quarantineRows {
            problems.append("\(quarantined) in quarantine, \(counters.quarantineRows) noted")
        }
    }

    /// What `PRAGMA quick_check` says, without its "ok".
    static func problems(_ connection: Connection) throws(SQLiteError) -> [String] {
        let check = try connection.prepare("PRAGMA quick_check(\(problemLimit))")
        var problems: [String] = []
        while try check.step() {
            let text = check.text(0)
            if text != "ok" { problems.append(text) }
        }
        return problems
    }
}
