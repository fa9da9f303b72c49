import SQLite

/// The table that says which rollups the file has. Belongs to its connection's thread.
package struct RollupCatalogue {
    private let connection: Connection

    package init(_ connection: Connection) { self.connection = connection }

    /// All that are in use, by name.
    package func records() throws(SQLiteError) -> [RollupRecord] {
        let select = try connection.cached(
            """
            SELECT id, name, fingerprint, filled, fill_end FROM rollup_names
            WHERE name IS NOT NULL ORDER BY name
            """)
        defer { select.reset() }
        var records: [RollupRecord] = []
        while try select.step() {
            records.append(
                RollupRecord(
                    id: select.integer(0), name: select.text(1), fingerprint: select.integer(2),
                    filled: select.integer(3), fillEnd: select.integer(4)))
        }
        return records
    }

    /// Begins a rollup that has no rows yet.
    /// - Parameter fillEnd: events up to this `seq` are counted later, step by step.
    package func add(
        _ name: String, fingerprint: Int64, fillEnd: Int64
    ) throws(SQLiteError) -> RollupRecord {
        let insert = try connection.cached(
            """
            INSERT INTO rollup_names(name, fingerprint, filled, fill_end) VALUES(?1, ?2, 0, ?3)
            RETURNING id
            """)
        defer { insert.reset() }
        insert.bind(1, name)
        insert.bind(2, fingerprint)
        insert.bind(3, fillEnd)
        let id = try insert.step() ? insert.integer(0) : 0
        return RollupRecord(
            id: id, name: name, fingerprint: fingerprint, filled: 0, fillEnd: fillEnd)
    }

    /// Nobody uses the rollup any more; its rows go little by little.
    package func drop(_ id: Int64) throws(SQLiteError) {
        let update = try connection.cached("UPDATE rollup_names SET name = NULL WHERE id = ?1")
        update.bind(1, id)
        try update.run()
    }

    package func setFilled(_ id: Int64, _ seq: Int64) throws(SQLiteError) {
        let update = try connection.cached("UPDATE rollup_names SET filled = ?2 WHERE id = ?1")
        update.bind(1, id)
        update.bind(2, seq)
        try update.run()
    }

    /// O(buckets).
    package func size(_ id: Int64) throws(SQLiteError) -> RollupSize {
        let select = try connection.cached(
            """
            SELECT count(*), coalesce(sum(groups + (flags & 2 <> 0)), 0),
                coalesce(sum(flags & 5 <> 0), 0), coalesce(sum(flags & 2 <> 0), 0)
            FROM rollup_buckets WHERE rollup_id = ?1
            """)
        defer { select.reset() }
        select.bind(1, id)
        guard try select.step() else { return RollupSize() }
        return RollupSize(
            buckets: select.integer(0), rows: select.integer(1), staleBuckets: select.integer(2),
            overflowedBuckets: select.integer(3))
    }

    // MARK: What nobody uses

    /// The store is opened by a program that keeps no rollups: they would miss what it stores.
    func dropAll() throws(SQLiteError) {
        try connection.execute("UPDATE rollup_names SET name = NULL WHERE name IS NOT NULL")
    }

    /// A rollup that nobody uses and that still has rows.
    func dropped() throws(SQLiteError) -> Int64? {
        let select = try connection.cached("SELECT id FROM rollup_names WHERE name IS NULL LIMIT 1")
        defer { select.reset() }
        return try select.step() ? select.integer(0) : nil
    }

    /// Deletes up to `limit` rows of a rollup that nobody uses, and itself after the last one.
    func clear(_ id: Int64, limit: Int64) throws(SQLiteError) {
        for (table, key) in [("rollup_rows", "bucket, key"), ("rollup_buckets", "bucket")] {
            let delete = try connection.cached(
                """
                DELETE FROM \(table) WHERE rollup_id = ?1 AND (\(key)) IN
                    (SELECT \(key) FROM \(table) WHERE rollup_id = ?1 LIMIT ?2)
                """)
            delete.bind(1, id)
            delete.bind(2, limit)
            try delete.run()
            if connection.changes > 0 { return }
        }
        let last = try connection.cached("DELETE FROM rollup_names WHERE id = ?1")
        last.bind(1, id)
        try last.run()
    }
}
