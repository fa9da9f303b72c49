import Primitives
import SQLite

/// The tables of a store, as the list of steps that made them what they are.
///
/// Step 1 makes version 1 out of an empty file, step 2 makes version 2 out of that, and so on; the
/// version is `PRAGMA user_version`. A step that has been released never changes: files that were
/// made with it exist. There is no way back; an older program refuses a newer file.
package struct Schema: Sendable {
    package let steps: [String]

    package init(steps: [String]) { self.steps = steps }

    package static let current = Schema(steps: [
        version1, version2, version3, version4, version5, version6, generationDays, erasures,
    ])

    package var version: Int { steps.count }

    /// "MRLC", at offset 68 of the file: tells our databases from others (`file` shows it).
    static let applicationID: Int64 = 0x4D52_4C43

    /// Brings the database to this schema's version, each step in a transaction of its own.
    /// - Throws: `newerSchema` and `foreignFile` before anything is touched.
    func migrate(_ connection: Connection, path: String) throws(StorageError) {
        let found = try examine(path) { () throws(SQLiteError) in
            try connection.integer("PRAGMA user_version") ?? 0
        }
        try checkOwner(connection, version: found, path: path)
        guard found >= 0 else {
            throw StorageError(.corrupt, "\(path) has schema version \(found)")
        }
        guard found <= version else {
            throw StorageError(
                .newerSchema,
                "\(path) has schema version \(found); this program knows up to \(version)")
        }
        for step in Int(found)..<version {
            try attempt("\(path): migration to version \(step + 1)") { () throws(SQLiteError) in
                try connection.transaction { () throws(SQLiteError) in
                    try connection.execute(steps[step])
                    try connection.execute("PRAGMA user_version = \(step + 1)")
                    try connection.execute("PRAGMA application_id = \(Schema.applicationID)")
                }
            }
        }
    }

    private func checkOwner(
        _ connection: Connection, version: Int64, path: String
    ) throws(StorageError) {
        let (owner, tables) = try examine(path) { () throws(SQLiteError) in
            let owner = try connection.integer("PRAGMA application_id") ?? 0
            let tables = try connection.integer("SELECT count(*) FROM sqlite_schema") ?? 0
            return (owner, tables)
        }
        let isNew = tables == 0 && version == 0
        guard owner == Schema.applicationID || (owner == 0 && isNew) else {
            throw StorageError(.foreignFile, "\(path) is a database of another program")
        }
        guard isNew || version != 0 else {
            throw StorageError(.corrupt, "\(path) has tables but no schema version")
        }
    }

    /// Events, their dictionaries, generations, what was refused, and the store's own notes.
    ///
    /// `event_rows.key` is what makes an event the same event: the UUIDv7 that the service gave it
    /// (`id` is then null, and new keys go to the right edge of the index), or a keyed hash of the
    /// client's source and id. `generations.count` is a number of changes, see `Generations`.
    package static let version1 = """
        CREATE TABLE meta(key TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID;
        CREATE TABLE event_types(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
        CREATE TABLE event_sources(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
        CREATE TABLE event_rows(
            seq INTEGER PRIMARY KEY,
            key BLOB NOT NULL,
            time INTEGER NOT NULL,
            type_id INTEGER NOT NULL,
            source_id INTEGER NOT NULL,
            id TEXT,
            subject TEXT,
            data TEXT,
            extensions TEXT
        ) STRICT;
        CREATE UNIQUE INDEX event_key ON event_rows(key);
        CREATE INDEX event_time ON event_rows(time, type_id);
        CREATE TABLE generations(
            type_id INTEGER NOT NULL,
            minute INTEGER NOT NULL,
            count INTEGER NOT NULL,
            PRIMARY KEY(type_id, minute)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE quarantine(
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            received INTEGER NOT NULL,
            code TEXT NOT NULL,
            detail TEXT NOT NULL,
            content_type TEXT NOT NULL,
            raw BLOB NOT NULL,
            preview TEXT NOT NULL,
            replayed INTEGER
        ) STRICT;
        CREATE VIEW events(seq, id, type, source, subject, time, data, extensions) AS
            SELECT r.seq,
                coalesce(r.id, lower(
                    substr(hex(r.key), 1, 8) || '-' || substr(hex(r.key), 9, 4) || '-' ||
                    substr(hex(r.key), 13, 4) || '-' || substr(hex(r.key), 17, 4) || '-' ||
                    substr(hex(r.key), 21, 12))),
                t.name, s.name, r.subject, r.time, r.data, r.extensions
            FROM event_rows r
                LEFT JOIN event_types t ON t.id = r.type_id
                LEFT JOIN event_sources s ON s.id = r.source_id;
        """

    /// What receivers of sinks refused for good, and how far each sink has come: a `seq`.
    package static let version2 = """
        CREATE TABLE dead_letters(
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            sink TEXT NOT NULL,
            time INTEGER NOT NULL,
            status INTEGER NOT NULL,
            refusals INTEGER NOT NULL,
            replayed INTEGER,
            event BLOB NOT NULL
        ) STRICT;
        CREATE INDEX dead_letter_sink ON dead_letters(sink, seq);
        CREATE TABLE sinks(name TEXT PRIMARY KEY, position INTEGER NOT NULL) STRICT, WITHOUT ROWID;
        """

    /// Where what was refused came from, if it came out of a stream.
    package static let version3 = """
        ALTER TABLE quarantine ADD COLUMN stream_entry TEXT;
        CREATE INDEX quarantine_stream_entry ON quarantine(stream_entry)
            WHERE stream_entry IS NOT NULL;
        """

    /// The set hashes of generations. Rows that are there already are added step by step, up to the
    /// last of them: see `SetHashFill`.
    package static let version4 = """
        ALTER TABLE generations ADD COLUMN set_hash INTEGER NOT NULL DEFAULT 0;
        INSERT INTO meta(key, value)
            SELECT 'set_hash_end', value FROM meta WHERE key = 'last_seq';
        """

    /// Identities move from the unique index `event_key` to files beside the database
    /// (`IdentityIndex`). The index goes when these have every row, which is no step of SQL; the version
    /// keeps out programs that rely on it.
    package static let version5 = "SELECT 1;"

    /// Rollups: which there are, their rows, and what is true of the rows of one bucket of time. A
    /// rollup without a name is used by nobody and goes step by step. `bucket` is the start,
    /// milliseconds since 1970.
    package static let version6 = """
        CREATE TABLE rollup_names(
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            name TEXT UNIQUE,
            fingerprint INTEGER NOT NULL,
            filled INTEGER NOT NULL,
            fill_end INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE rollup_rows(
            rollup_id INTEGER NOT NULL,
            bucket INTEGER NOT NULL,
            key BLOB NOT NULL,
            count INTEGER NOT NULL,
            state BLOB NOT NULL,
            PRIMARY KEY(rollup_id, bucket, key)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE rollup_buckets(
            rollup_id INTEGER NOT NULL,
            bucket INTEGER NOT NULL,
            groups INTEGER NOT NULL,
            flags INTEGER NOT NULL,
            PRIMARY KEY(rollup_id, bucket)
        ) STRICT, WITHOUT ROWID;
        """

    /// Generations of whole days (`Generations`), added up from those of minutes. Halves of 32 bits
    /// keep the sum of set hashes from overflowing.
    package static let generationDays = """
        CREATE TABLE generation_days(
            type_id INTEGER NOT NULL,
            day INTEGER NOT NULL,
            count INTEGER NOT NULL,
            set_hash INTEGER NOT NULL,
            PRIMARY KEY(type_id, day)
        ) STRICT, WITHOUT ROWID;
        INSERT INTO generation_days(type_id, day, count, set_hash)
            SELECT type_id, (minute - (minute % 1440 + 1440) % 1440) / 1440, sum(count),
                (sum(set_hash >> 32) + (sum(set_hash & 4294967295) >> 32) << 32)
                    | (sum(set_hash & 4294967295) & 4294967295)
            FROM generations WHERE minute > -9223372036854775808 GROUP BY 1, 2;
        """

    /// Erasures (`Erasure`), and the identities of what they erased (`ErasedIdentities`).
    package static let erasures = """
        CREATE TABLE erasures(
            id TEXT PRIMARY KEY,
            requested INTEGER NOT NULL,
            node TEXT NOT NULL,
            conditions TEXT NOT NULL,
            matcher BLOB,
            barrier INTEGER NOT NULL,
            through INTEGER NOT NULL,
            examined INTEGER NOT NULL,
            stage INTEGER NOT NULL,
            events INTEGER NOT NULL,
            quarantined INTEGER NOT NULL,
            dead_letters INTEGER NOT NULL,
            finished INTEGER
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE erased_identities(
            seq INTEGER PRIMARY KEY,
            key BLOB NOT NULL,
            identity INTEGER
        ) STRICT;
        """
}
