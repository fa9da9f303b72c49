import Primitives
import SQLite

/// The table of erasures. Belongs to the writer's thread.
struct ErasureTable {
    let connection: Connection

    /// Finished ones beyond this are forgotten, the oldest first: the log has a record of each.
    static let finishedLimit = 1000

    private static let columns = """
        id, requested, node, conditions, matcher, barrier, through, examined, stage, events,
        quarantined, dead_letters, finished
        """

    /// The oldest first.
    func all() throws(SQLiteError) -> [Erasure] {
        let select = try connection.cached(
            "SELECT \(ErasureTable.columns) FROM erasures ORDER BY requested, id")
        defer { select.reset() }
        var erasures: [Erasure] = []
        while try select.step() {
            var erasure = Erasure(
                id: select.text(0), requested: select.integer(1), node: select.text(2),
                conditions: select.text(3),
                matcher: select.isNull(4) ? nil : ErasureMatcher(decoding: select.bytes(4)))
            erasure.barrier = UInt64(clamping: select.integer(5))
            erasure.through = select.integer(6)
            erasure.examined = select.integer(7)
            erasure.stage = Erasure.Stage(rawValue: select.integer(8)) ?? .rows
            erasure.events = select.integer(9)
            erasure.quarantined = select.integer(10)
            erasure.deadLetters = select.integer(11)
            erasure.finished = select.isNull(12) ? nil : select.integer(12)
            // Without a matcher nothing more can be done for it.
            if erasure.matcher != nil || erasure.stage == .finished { erasures.append(erasure) }
        }
        return erasures
    }

    func write(_ erasure: Erasure) throws(SQLiteError) {
        let upsert = try connection.cached(
            """
            INSERT INTO erasures(\(ErasureTable.columns))
            VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
            ON CONFLICT(id) DO UPDATE SET matcher = excluded.matcher,
                examined = excluded.examined, stage = excluded.stage, events = excluded.events,
                quarantined = excluded.quarantined, dead_letters = excluded.dead_letters,
                finished = excluded.finished
            """)
        defer { upsert.reset() }
        upsert.bind(1, erasure.id)
        upsert.bind(2, erasure.requested)
        upsert.bind(3, erasure.node)
        upsert.bind(4, erasure.conditions)
        upsert.bind(5, erasure.matcher.map { .blob($0.encoded) } ?? .null)
        upsert.bind(6, Int64(clamping: erasure.barrier))
        upsert.bind(7, erasure.through)
        upsert.bind(8, erasure.examined)
        upsert.bind(9, erasure.stage.rawValue)
        upsert.bind(10, erasure.events)
        upsert.bind(11, erasure.quarantined)
        upsert.bind(12, erasure.deadLetters)
        upsert.bind(13, erasure.finished.map { .integer($0) } ?? .null)
        try upsert.run()
    }

    func remove(_ id: String) throws(SQLiteError) {
        let delete = try connection.cached("DELETE FROM erasures WHERE id = ?1")
        defer { delete.reset() }
        delete.bind(1, id)
        try delete.run()
    }
}

/// The identities of erased events, so that an event that is sent again is still the same event.
/// Belongs to the writer's thread.
///
/// A key is a hash under the store's secret, as it is in the rows of client ids; an id that the
/// service gave is hashed as well, so nothing of an event is left.
struct ErasedIdentities {
    let connection: Connection
    let secret: Key128

    /// - Parameters:
    ///   - seq: of the row that was, or of one that never became a row.
    ///   - identity: `IdentityHash`, for an id that the service gave.
    func insert(
        seq: Int64, key: Key128, isGenerated: Bool, identity: UInt64
    ) throws(SQLiteError) {
        let insert = try connection.cached(
            "INSERT OR REPLACE INTO erased_identities(seq, key, identity) VALUES(?1, ?2, ?3)")
        defer { insert.reset() }
        insert.bind(1, seq)
        insert.bind(2, ErasedIdentities.key(key, isGenerated: isGenerated, secret))
        if isGenerated {
            insert.bind(3, Int64(bitPattern: identity))
        } else {
            insert.bindNull(3)
        }
        try insert.run()
    }

    /// The key as it is kept. Its low half is the fingerprint in the identity index.
    static func key(_ key: Key128, isGenerated: Bool, _ secret: Key128) -> Key128 {
        guard isGenerated else { return key }
        return withUnsafeBytes(of: (key.high.bigEndian, key.low.bigEndian)) {
            Key128(hashing: $0, key: secret)
        }
    }
}
