import SQLite
import Storage

/// What is in a day's file. A file of another version is not opened.
enum LogSchema {
    static let version: Int64 = 1
    /// `MRlg`.
    static let applicationID: Int64 = 0x4D52_6C67

    /// `words` has no content of its own (contentless): the words of a row come from `LogWords` and
    /// rows are never deleted one by one, since SQLite 3.40.1 could not take their words out again.
    /// The words of a transaction fit `hashsize`, so each leaves one segment, and eight are merged at a
    /// time: half as many are as with four, and that is a third less to write.
    /// `counts` answers histograms and facets without reading rows.
    private static let statements = """
        CREATE TABLE records (
            id INTEGER PRIMARY KEY, time INTEGER NOT NULL, observed INTEGER,
            arrival INTEGER NOT NULL, severity INTEGER NOT NULL, flags INTEGER NOT NULL,
            level INTEGER, service INTEGER, scope INTEGER, scope_version INTEGER,
            resource INTEGER, trace BLOB, span INTEGER, trace_flags INTEGER,
            event TEXT, body TEXT, attributes TEXT);
        CREATE INDEX records_service ON records (service) WHERE service IS NOT NULL;
        CREATE INDEX records_warn ON records (id, severity) WHERE severity >= 13;
        CREATE TABLE names (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
        CREATE TABLE counts (
            minute INTEGER, service INTEGER, severity INTEGER, records INTEGER NOT NULL,
            PRIMARY KEY (minute, service, severity)) WITHOUT ROWID;
        CREATE TABLE meta (arrival INTEGER NOT NULL);
        INSERT INTO meta VALUES (0);
        CREATE VIRTUAL TABLE words USING fts5(
            text, trace, content = '', columnsize = 0, detail = full,
            tokenize = 'unicode61 remove_diacritics 2');
        INSERT INTO words (words, rank) VALUES ('hashsize', 16777216);
        INSERT INTO words (words, rank) VALUES ('automerge', 8);
        """

    /// A filter on the level takes the index `records_warn` from this severity number on.
    static let warning: UInt8 = 13

    /// Makes a new file, or checks that an old one is of this version.
    static func prepare(_ connection: Connection, path: String) throws(StorageError) {
        do throws(SQLiteError) {
            // Takes effect in an empty file only. Rows of some hundred bytes: 8 KiB a page.
            try connection.execute("PRAGMA page_size = 8192")
            try connection.execute("PRAGMA journal_mode = WAL")
            try connection.execute("PRAGMA synchronous = NORMAL")
            // The log is cut to this when it starts over.
            try connection.execute("PRAGMA journal_size_limit = 16777216")
            if try connection.integer("SELECT count(*) FROM sqlite_schema") == 0 {
                try connection.transaction { () throws(SQLiteError) in
                    try connection.execute(statements)
                    try connection.execute("PRAGMA application_id = \(applicationID)")
                    try connection.execute("PRAGMA user_version = \(version)")
                }
            }
        } catch {
            throw StorageError(error, path)
        }
        try check(connection, path: path)
    }

    /// - Throws: `foreignFile` or `newerSchema`.
    static func check(_ connection: Connection, path: String) throws(StorageError) {
        let (owner, found): (Int64?, Int64?)
        do throws(SQLiteError) {
            owner = try connection.integer("PRAGMA application_id")
            found = try connection.integer("PRAGMA user_version")
        } catch {
            throw StorageError(error, path)
        }
        guard owner == applicationID else {
            throw StorageError(.foreignFile, "\(path) is no file of logs")
        }
        guard found == version else {
            throw StorageError(.newerSchema, "\(path) has schema version \(found ?? 0)")
        }
    }
}
