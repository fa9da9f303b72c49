import Primitives
import SQLite
import Storage

/// What `millrace check` finds out about the files of logs.
package struct LogIntegrity: Sendable {
    /// What is wrong, in words, with the file's name; empty if nothing is.
    package private(set) var problems: [String] = []
    package private(set) var days = 0
    package private(set) var records: Int64 = 0

    /// Problems of one file that are named.
    private static let problemLimit = 10

    /// Reads all files in `directory` from end to end; the service may run meanwhile.
    /// - Parameter isUnused: nobody else has the files open, so FTS5's own check is run, which alone
    ///   sees an index that does not hang together. To SQLite it is a write, and two who write can
    ///   damage a write-ahead log.
    /// - Throws: when the directory cannot be read.
    package init(directory: String, isUnused: Bool) throws(StorageError) {
        for file in try LogCatalog.files(in: directory) {
            days += 1
            let path = "\(directory)/\(file.name)"
            do throws(StorageError) {
                try check(path, file.name, isUnused: isUnused)
            } catch {
                problems.append("\(file.name): \(error.message)")
            }
        }
    }

    private mutating func check(
        _ path: String, _ name: String, isUnused: Bool
    ) throws(StorageError) {
        do throws(SQLiteError) {
            let connection = try Connection(path: path, role: isUnused ? .writer : .reader)
            // Looking changes nothing: a write-ahead log that a crash left stays, a new one goes.
            if isUnused, LogCatalog.size(path + "-wal") > 0 { connection.keepLogOnClose() }
            guard try connection.integer("PRAGMA application_id") == LogSchema.applicationID else {
                problems.append("\(name): the file does not say that it is one of logs")
                return
            }
            let check = try connection.prepare(
                "PRAGMA quick_check(\(LogIntegrity.problemLimit))")
            while try check.step() {
                let text = check.text(0)
                if text != "ok" { problems.append("\(name): \(text)") }
            }
            try connection.execute("BEGIN")
            let rows = try connection.integer("SELECT count(*) FROM records") ?? 0
            let counted = try connection.integer("SELECT sum(records) FROM counts") ?? 0
            if rows != counted { problems.append("\(name): \(rows) records, \(counted) counted") }
            records += rows
            if isUnused { try checkWords(connection, name) }
            if connection.isInTransaction { try connection.execute("ROLLBACK") }
        } catch {
            problems.append("\(name): \(error.message)")
        }
    }

    /// FTS5's check is an INSERT that changes nothing; it is taken back all the same.
    private mutating func checkWords(
        _ connection: Connection, _ name: String
    ) throws(SQLiteError) {
        do throws(SQLiteError) {
            try connection.execute("INSERT INTO words (words) VALUES ('integrity-check')")
        } catch {
            guard error.isCorrupt else { throw error }
            problems.append("\(name): the full-text index is damaged")
        }
    }
}
