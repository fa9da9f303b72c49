import Primitives
import SQLite
import Telemetry

/// The one connection that writes, with everything that belongs to the writer's thread.
final class StoreWriter {
    let path: String
    let connection: Connection
    let inserter: EventInserter
    let identities: IdentityLookup
    private(set) var counters: StoreCounters
    /// See `EventStore.durablePosition`.
    var durablePosition: Int64
    /// Frames of the log that the last checkpoint has seen.
    var checkpointedFrames = 0
    var lastCheckpoint: MonotonicTime?
    var lastCompleteCheckpoint: MonotonicTime?
    var lastSinkWrite: MonotonicTime?
    /// Below this minute every generation has been folded, as far as this process knows.
    var foldedTo = Generations.firstMinute
    var freePages: Int64 = 0
    var isSyncFailed = false
    private let damage: DamageMarker
    let version = StoreVersion()
    private let derived: (any DerivedRows)?
    /// Rows of rollups that nobody uses may be there.
    var hasDroppedRollups = true
    /// While names without events are searched for.
    var sourceSearch: SourceSearch?
    /// While an erasure looks which names are still in use.
    var namesInUse: NamesInUse?
    /// At the end of an erasure; nil before its first step.
    var overwriting: Overwriting?

    /// Opens or creates the database, brings it to the schema's version, and moves what a crash
    /// left in the write-ahead log into the file. SQLite checks the sums of the log while it reads
    /// it, so after this everything is in the file and synced, whatever was true before.
    init(
        path: String, options: EventStoreOptions, now: Int64, damage: DamageMarker, log: Logger
    ) throws(StorageError) {
        self.path = path
        self.damage = damage
        derived = options.derived
        let connection = try examine(path) { () throws(SQLiteError) in
            try Connection(path: path, role: .writer, cacheKiB: options.writerCacheKiB)
        }
        try StoreWriter.configure(connection, path: path, syncsCommits: options.syncsCommits)
        try options.schema.migrate(connection, path: path)
        let opened = try examine(path) { () throws(SQLiteError) in
            try StoreWriter.probe(connection)
            let secret = try StoreWriter.identitySecret(connection, now: now)
            let counters = try StoreCounters(connection)
            _ = try connection.checkpoint(.truncate)
            let highestSeq = try connection.integer("SELECT max(seq) FROM event_rows") ?? 0
            return (secret, counters, highestSeq)
        }
        guard opened.1.arePlausible(highestSeq: opened.2) else {
            throw StorageError(.corrupt, "\(path): the numbers in meta cannot be true")
        }
        let identities = try IdentityLookup(
            connection, path: path, secret: opened.0, lastSeq: opened.1.lastSeq,
            tableCount: options.identityTableCount, log: log)
        try StoreWriter.complete(identities, options)
        inserter = try examine(path) { () throws(SQLiteError) in
            try EventInserter(
                connection, secret: opened.0, identities: identities, derived: options.derived)
        }
        try StoreWriter.open(options.derived, connection, lastSeq: opened.1.lastSeq, path: path)
        self.identities = identities
        self.connection = connection
        counters = opened.1
        durablePosition = opened.1.position
    }

    /// Reads what is missing of the identity index, unless that takes longer than a start may.
    private static func complete(
        _ identities: IdentityLookup, _ options: EventStoreOptions
    ) throws(StorageError) {
        let missing = identities.index.gaps.reduce(0) { $0 + $1.count }
        guard missing <= options.identityRowsAtOpen else { return }
        while !identities.index.isWhole { try identities.refillStep() }
        try identities.dropKeyIndex()
    }

    /// Runs `body` in one transaction; the counters it changes become true with the commit.
    /// - Parameter changesDerived: SQL sees another state after it, although the events are the same.
    func transact<Result>(
        changesDerived: Bool = false,
        _ body: (inout StoreCounters) throws(StorageError) -> Result
    ) throws(StorageError) -> Result {
        guard !isSyncFailed else {
            throw StorageError(.syncFailed, "\(path): an earlier fsync failed; reopen the store")
        }
        var next = counters
        var isChanging = false
        // Also where the commit failed: it may be visible all the same.
        defer { if isChanging { version.endCommit() } }
        do throws(StorageError) {
            let result = try connection.transaction(
                { () throws(StorageError) in
                    let result = try body(&next)
                    try attempt(path) { () throws(SQLiteError) in
                        try next.save(connection, previous: counters)
                    }
                    // As in `SnapshotMark`: other transactions leave the events as they are.
                    let areOthers =
                        next.lastSeq != counters.lastSeq || next.rows != counters.rows
                    if areOthers || changesDerived {
                        isChanging = true
                        version.beginCommit()
                    }
                    return result
                }, mapping: { StorageError($0, path) })
            counters = next
            return result
        } catch {
            derived?.rolledBack()
            note(error)
            throw error
        }
    }

    /// What is derived from events, or nothing: what is kept without being told of every row would be
    /// wrong, so without anybody who keeps rollups there are none.
    private static func open(
        _ derived: (any DerivedRows)?, _ connection: Connection, lastSeq: Int64, path: String
    ) throws(StorageError) {
        try examine(path) { () throws(SQLiteError) in
            try connection.transaction { () throws(SQLiteError) in
                guard let derived else { return try RollupCatalogue(connection).dropAll() }
                try derived.open(connection, lastSeq: lastSeq)
            }
        }
    }

    /// Remembers what must not be forgotten about a failure.
    func note(_ error: StorageError) {
        if error.code == .syncFailed {
            isSyncFailed = true
            connection.keepLogOnClose()
        }
        if error.code == .corrupt { damage.mark() }
    }

    private static func configure(
        _ connection: Connection, path: String, syncsCommits: Bool
    ) throws(StorageError) {
        try examine(path) { () throws(SQLiteError) in
            // Works only while the file is empty: free pages can then be given back one by one.
            try connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            try connection.execute("PRAGMA journal_mode = WAL")
            // With NORMAL a commit does not wait for the disk: the journal holds it until a
            // checkpoint has synced it, see `EventStore.durablePosition`.
            try connection.execute("PRAGMA synchronous = \(syncsCommits ? "FULL" : "NORMAL")")
            try connection.execute("PRAGMA temp_store = MEMORY")
            // What is deleted is overwritten. Debian's library does so by itself, and so did the
            // stores that it made.
            try connection.execute("PRAGMA secure_delete = ON")
        }
    }

    /// Touches the roots and the edges of what every batch will touch, so that a damaged file
    /// shows itself at start and not in the middle of the night.
    private static func probe(_ connection: Connection) throws(SQLiteError) {
        for sql in [
            "SELECT min(seq) FROM event_rows",
            "SELECT max(seq) FROM event_rows", "SELECT max(time) FROM event_rows",
            "SELECT count(*) FROM event_types", "SELECT count(*) FROM meta",
            "SELECT minute FROM generations ORDER BY type_id DESC, minute DESC LIMIT 1",
            "SELECT max(seq) FROM quarantine", "SELECT seq FROM events LIMIT 1",
            "SELECT max(seq) FROM dead_letters", "SELECT count(*) FROM sinks",
            "SELECT count(*) FROM rollup_names", "SELECT max(rollup_id) FROM rollup_rows",
        ] { _ = try connection.integer(sql) }
    }

    /// The key of the hashes that stand for client ids: made once, kept in the file.
    private static func identitySecret(
        _ connection: Connection, now: Int64
    ) throws(SQLiteError) -> Key128 {
        let select = try connection.prepare("SELECT value FROM meta WHERE key = 'identity_secret'")
        if try select.step(), let secret = select.key(0) { return secret }
        select.reset()
        let secret = Key128(
            high: UInt64.random(in: .min ... .max), low: UInt64.random(in: .min ... .max))
        let insert = try connection.prepare(
            "INSERT INTO meta(key, value) VALUES('identity_secret', ?1), ('created_at', ?2)")
        insert.bind(1, secret)
        insert.bind(2, now)
        try insert.run()
        return secret
    }
}
