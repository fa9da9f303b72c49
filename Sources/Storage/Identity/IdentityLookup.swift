import Primitives
import SQLite
import Telemetry

/// Whether the store has an event already: what the identity index suspects, the rows decide. The
/// writer's thread.
final class IdentityLookup {
    let index: IdentityIndex
    private let connection: Connection
    let secret: Key128
    /// The row itself.
    private let row: Statement
    /// What is left of an erased one.
    private let erased: Statement
    /// The same by the unique index of schemas before version 5; nil once that is gone.
    private var byKey: Statement?
    /// What a part of the first gap's rows came to, while it is read in steps.
    private var refill = IdentityTable()
    /// Where the gap began that `refill` is of; nil while nothing of one has been read.
    private var refillAfter: Int64?
    /// The last row that was read into `refill`.
    private var refilled: Int64 = 0

    /// Rows that one step of `refillStep` reads: some 20 ms.
    private static let stepRows: Int64 = 20_000

    /// Opens the index of the store at `path`. What is missing of it is left for `refillStep`.
    /// - Parameter secret: the store's, under which client ids are hashed.
    init(
        _ connection: Connection, path: String, secret: Key128, lastSeq: Int64, tableCount: Int,
        log: Logger
    ) throws(StorageError) {
        self.connection = connection
        self.secret = secret
        let (row, firstSeq, hasKeyIndex) = try examine(path) { () throws(SQLiteError) in
            (
                try connection.prepare(
                    "SELECT key, id IS NULL, source_id FROM event_rows WHERE seq = ?1"),
                try IdentityLookup.firstSeq(connection) ?? lastSeq + 1,
                try connection.integer(
                    "SELECT count(*) FROM sqlite_schema WHERE name = 'event_key'") != 0
            )
        }
        self.row = row
        erased = try examine(path) { () throws(SQLiteError) in
            try connection.prepare("SELECT key, identity FROM erased_identities WHERE seq = ?1")
        }
        let mark = IdentityLookup.mark(secret)
        let catalog = try IdentityCatalog(
            IdentityFolder(database: path), store: mark, lastSeq: lastSeq
        ) { (seq) throws(StorageError) in
            defer { row.reset() }
            return try attempt(path) { () throws(SQLiteError) in
                row.bind(1, seq)
                guard try row.step(), let key = row.key(0) else { return nil }
                return IdentityLookup.fingerprint(key, isGenerated: row.integer(1) == 1, secret)
            }
        }
        index = IdentityIndex(
            database: path, store: mark, catalog: catalog, firstSeq: firstSeq, lastSeq: lastSeq,
            tableCount: tableCount, log: log)
        guard hasKeyIndex else { return }
        byKey = try examine(path) { () throws(SQLiteError) in
            try connection.prepare(
                "SELECT key, id IS NULL, source_id FROM event_rows WHERE key = ?1")
        }
    }

    // MARK: Within a transaction

    /// Whether what is not found is not there: only then may anything be stored.
    var isReady: Bool { index.isWhole || byKey != nil }

    /// The fingerprint of an identity: evenly spread, whoever chose the id.
    func fingerprint(_ key: Key128, isGenerated: Bool) -> UInt64 {
        IdentityLookup.fingerprint(key, isGenerated: isGenerated, secret)
    }

    /// A client's key is a hash already.
    private static func fingerprint(
        _ key: Key128, isGenerated: Bool, _ secret: Key128
    ) -> UInt64 {
        guard isGenerated else { return key.low }
        return withUnsafeBytes(of: (key.high.bigEndian, key.low.bigEndian)) {
            Key128(hashing: $0, key: secret).low
        }
    }

    /// The first row that is there, or of which the identity is; nil without any.
    static func firstSeq(_ connection: Connection) throws(SQLiteError) -> Int64? {
        let firsts = [
            try connection.integer("SELECT seq FROM event_rows ORDER BY seq LIMIT 1"),
            try connection.integer("SELECT seq FROM erased_identities ORDER BY seq LIMIT 1"),
        ]
        return firsts.compactMap { $0 }.min()
    }

    /// What tells the files of this store from those of others.
    private static func mark(_ secret: Key128) -> UInt64 {
        let text: StaticString = "identity index"
        let bytes = UnsafeRawBufferPointer(
            start: text.utf8Start, count: text.utf8CodeUnitCount)
        return Key128(hashing: bytes, key: secret).low
    }

    /// Whether there is a row with this key, or was one that has been erased.
    func has(_ key: Key128, isGenerated: Bool, _ fingerprint: UInt64) throws(StorageError) -> Bool {
        try find(key, isGenerated: isGenerated, fingerprint) { _ in
            true
        } whereErased: { _ in
            true
        }
    }

    /// Whether there is a row whose id was given here, with this source, or was one that has been
    /// erased.
    /// - Parameter identity: `IdentityHash` of source and id.
    func hasGenerated(
        _ key: Key128, source: Int64, _ fingerprint: UInt64, identity: UInt64
    ) throws(StorageError) -> Bool {
        try find(key, isGenerated: true, fingerprint) { row in
            row.integer(1) == 1 && row.integer(2) == source
        } whereErased: { row in
            row.integer(1) == Int64(bitPattern: identity)
        }
    }

    /// Whether the row with this key has been erased.
    /// - Throws: `busy` while identities have to be read again from the rows.
    func isErased(_ key: Key128, isGenerated: Bool) throws(StorageError) -> Bool {
        guard index.isWhole else {
            throw StorageError(.busy, "identities have to be read again")
        }
        try index.find(fingerprint(key, isGenerated: isGenerated))
        let left = ErasedIdentities.key(key, isGenerated: isGenerated, secret)
        for seq in index.candidates {
            erased.bind(1, seq)
            if try isFound(left, erased, where: { _ in true }) { return true }
        }
        return false
    }

    private func find(
        _ key: Key128, isGenerated: Bool, _ fingerprint: UInt64,
        where isRight: (Statement) -> Bool, whereErased isRightErased: (Statement) -> Bool
    ) throws(StorageError) -> Bool {
        try index.find(fingerprint)
        for seq in index.candidates {
            row.bind(1, seq)
            if try isFound(key, row, where: isRight) { return true }
            erased.bind(1, seq)
            let left = ErasedIdentities.key(key, isGenerated: isGenerated, secret)
            if try isFound(left, erased, where: isRightErased) { return true }
        }
        guard !index.isWhole, let byKey else { return false }
        byKey.bind(1, key)
        return try isFound(key, byKey, where: isRight)
    }

    private func isFound(
        _ key: Key128, _ statement: Statement, where isRight: (Statement) -> Bool
    ) throws(StorageError) -> Bool {
        defer { statement.rewind() }
        return try attempt("event") { () throws(SQLiteError) in
            guard try statement.step() else { return false }
            return statement.key(0) == key && isRight(statement)
        }
    }

    // MARK: Between transactions

    /// Reads some rows of what the index misses: after a kill those that were only in memory, more of
    /// them when files are missing, all of them in a store of an earlier schema.
    func refillStep() throws(StorageError) {
        guard let gap = index.gaps.first else { return }
        // Where an earlier gap ended says nothing of this one: its rows are read from its start.
        if refillAfter != gap.after || refilled > gap.last {
            refill = IdentityTable()
            refillAfter = gap.after
            refilled = gap.after
        }
        let isAtEnd = try examine("identities") { () throws(SQLiteError) in
            try readRows(through: gap.last)
        }
        if isAtEnd { refilled = gap.last }
        guard isAtEnd || refill.count >= index.tableCount else { return }
        try index.fill(refill, through: refilled)
        refill = IdentityTable()
        refillAfter = nil
    }

    /// - Returns: whether there are no more.
    private func readRows(through last: Int64) throws(SQLiteError) -> Bool {
        let limit = min(
            IdentityLookup.stepRows, Int64(max(index.tableCount - refill.count, 1)))
        let select = try connection.cached(
            """
            SELECT seq, key, id IS NULL FROM event_rows WHERE seq > ?1 AND seq <= ?2
            UNION ALL
            SELECT seq, key, 0 FROM erased_identities WHERE seq > ?1 AND seq <= ?2
            ORDER BY 1 LIMIT ?3
            """)
        select.bind(1, refilled)
        select.bind(2, last)
        select.bind(3, limit)
        var count: Int64 = 0
        while try select.step() {
            count += 1
            refilled = select.integer(0)
            guard let key = select.key(1) else { continue }
            refill.insert(
                IdentityEntry(
                    fingerprint: fingerprint(key, isGenerated: select.integer(2) == 1),
                    seq: refilled))
        }
        return count < limit || refilled == last
    }

    /// Drops the unique index of an earlier schema once the identity index has every row.
    func dropKeyIndex() throws(StorageError) {
        guard byKey != nil, index.isWhole else { return }
        byKey = nil
        try attempt("event_key") { () throws(SQLiteError) in
            try connection.execute("DROP INDEX IF EXISTS event_key")
        }
    }

    /// An earlier schema's index is still there.
    var hasKeyIndex: Bool { byKey != nil }
}
