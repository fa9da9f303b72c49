import SQLite

/// The tables of rollups. What a key and a state mean is for `Query` to say; here they are bytes.
/// Belongs to its connection's thread.
package final class RollupTable {
    private let connection: Connection
    private let select: Statement
    private let upsert: Statement
    private let delete: Statement
    private let selectBucket: Statement
    private let upsertBucket: Statement
    private let deleteBucket: Statement

    /// Prepares what is done for each changed row.
    package init(_ connection: Connection) throws(SQLiteError) {
        self.connection = connection
        select = try connection.prepare(
            """
            SELECT count, state FROM rollup_rows
            WHERE rollup_id = ?1 AND bucket = ?2 AND key = ?3
            """)
        upsert = try connection.prepare(
            """
            INSERT INTO rollup_rows(rollup_id, bucket, key, count, state)
            VALUES(?1, ?2, ?3, ?4, ?5) ON CONFLICT(rollup_id, bucket, key)
            DO UPDATE SET count = excluded.count, state = excluded.state
            """)
        delete = try connection.prepare(
            "DELETE FROM rollup_rows WHERE rollup_id = ?1 AND bucket = ?2 AND key = ?3")
        selectBucket = try connection.prepare(
            "SELECT groups, flags FROM rollup_buckets WHERE rollup_id = ?1 AND bucket = ?2")
        upsertBucket = try connection.prepare(
            """
            INSERT INTO rollup_buckets(rollup_id, bucket, groups, flags) VALUES(?1, ?2, ?3, ?4)
            ON CONFLICT(rollup_id, bucket)
            DO UPDATE SET groups = excluded.groups, flags = excluded.flags
            """)
        deleteBucket = try connection.prepare(
            "DELETE FROM rollup_buckets WHERE rollup_id = ?1 AND bucket = ?2")
    }

    // MARK: Rows

    /// Reads a row; its state is borrowed for the call of `body`.
    /// - Returns: false if there is none.
    package func read(
        _ rollup: Int64, _ bucket: Int64, _ key: UnsafeRawBufferPointer,
        _ body: (_ count: Int64, _ state: UnsafeRawBufferPointer) -> Void
    ) throws(SQLiteError) -> Bool {
        defer { select.reset() }
        bind(select, rollup, bucket, key)
        guard try select.step() else { return false }
        body(select.integer(0), select.bytes(1))
        return true
    }

    package func write(
        _ rollup: Int64, _ bucket: Int64, _ key: UnsafeRawBufferPointer, count: Int64,
        state: UnsafeRawBufferPointer
    ) throws(SQLiteError) {
        defer { upsert.reset() }
        bind(upsert, rollup, bucket, key)
        upsert.bind(4, count)
        upsert.bind(5, borrowedBlob: state)
        try upsert.run()
    }

    package func remove(
        _ rollup: Int64, _ bucket: Int64, _ key: UnsafeRawBufferPointer
    ) throws(SQLiteError) {
        defer { delete.reset() }
        bind(delete, rollup, bucket, key)
        try delete.run()
    }

    private func bind(
        _ statement: Statement, _ rollup: Int64, _ bucket: Int64, _ key: UnsafeRawBufferPointer
    ) {
        statement.bind(1, rollup)
        statement.bind(2, bucket)
        statement.bind(3, borrowedBlob: key)
    }

    // MARK: Buckets

    /// Nil for a bucket without rows.
    package func bucket(
        _ rollup: Int64, _ bucket: Int64
    ) throws(SQLiteError) -> RollupBucket? {
        defer { selectBucket.reset() }
        selectBucket.bind(1, rollup)
        selectBucket.bind(2, bucket)
        guard try selectBucket.step() else { return nil }
        return RollupBucket(
            groups: selectBucket.integer(0),
            flags: RollupBucket.Flags(rawValue: selectBucket.integer(1)))
    }

    package func write(
        _ rollup: Int64, _ bucket: Int64, _ value: RollupBucket
    ) throws(SQLiteError) {
        upsertBucket.bind(1, rollup)
        upsertBucket.bind(2, bucket)
        upsertBucket.bind(3, value.groups)
        upsertBucket.bind(4, value.flags.rawValue)
        try upsertBucket.run()
    }

    /// Forgets the bucket; its rows are gone already.
    package func removeBucket(_ rollup: Int64, _ bucket: Int64) throws(SQLiteError) {
        deleteBucket.bind(1, rollup)
        deleteBucket.bind(2, bucket)
        try deleteBucket.run()
    }

    /// Deletes the bucket with all its rows.
    package func clearBucket(_ rollup: Int64, _ bucket: Int64) throws(SQLiteError) {
        let rows = try connection.cached(
            "DELETE FROM rollup_rows WHERE rollup_id = ?1 AND bucket = ?2")
        rows.bind(1, rollup)
        rows.bind(2, bucket)
        try rows.run()
        try removeBucket(rollup, bucket)
    }

    /// A bucket that has to be counted anew, the newest first; nil without any.
    /// - Parameters:
    ///   - start: buckets that begin before it are left as they are.
    ///   - end: only buckets that begin before it.
    package func staleBucket(
        _ rollup: Int64, from start: Int64, before end: Int64
    ) throws(SQLiteError) -> Int64? {
        let select = try connection.cached(
            """
            SELECT bucket FROM rollup_buckets
            WHERE rollup_id = ?1 AND bucket >= ?2 AND bucket < ?3 AND flags & ?4 <> 0
            ORDER BY bucket DESC LIMIT 1
            """)
        defer { select.reset() }
        select.bind(1, rollup)
        select.bind(2, start)
        select.bind(3, end)
        select.bind(
            4, RollupBucket.Flags.stale.union(RollupBucket.Flags.broken).rawValue)
        return try select.step() ? select.integer(0) : nil
    }
}
