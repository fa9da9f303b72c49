internal import CSQLite
import Primitives

/// Checkpoints: moving what the write-ahead log holds into the database file (sqlite.org/wal.html).
extension Connection {
    package enum CheckpointMode: Sendable {
        /// As far as no reader is in the way.
        case passive
        /// Waits for readers of older states, so that everything can be moved, then for all who
        /// still read the log, and cuts it to nothing.
        case truncate
    }

    /// How far a checkpoint came.
    package struct Checkpoint: Sendable {
        /// Frames in the log.
        package let logFrames: Int
        /// Frames of them that are in the database file.
        package let movedFrames: Int
        /// Everything committed is in the database file, and `fsync` of that file has returned.
        ///
        /// With `synchronous=NORMAL` SQLite syncs the log before it moves frames, and the database
        /// file once all are moved; only then does it count them as moved (wal.c, walCheckpoint).
        package var isComplete: Bool { logFrames >= 0 && logFrames == movedFrames }
    }

    /// Moves the log into the database file. The corresponding C function is
    /// `sqlite3_wal_checkpoint_v2`. Only for the `.writer`, on its thread, outside a transaction.
    /// - Parameter waitMilliseconds: how long readers may hold it up; passive never waits.
    package func checkpoint(
        _ mode: CheckpointMode, waitMilliseconds: Int32 = 0
    ) throws(SQLiteError) -> Checkpoint {
        let flag =
            switch mode {
            case .passive: SQLITE_CHECKPOINT_PASSIVE
            case .truncate: SQLITE_CHECKPOINT_TRUNCATE
            }
        var logFrames: Int32 = -1
        var movedFrames: Int32 = -1
        sqlite3_busy_timeout(handle, waitMilliseconds)
        let code = sqlite3_wal_checkpoint_v2(handle, nil, flag, &logFrames, &movedFrames)
        sqlite3_busy_timeout(handle, Connection.busyTimeoutMilliseconds)
        // Busy means that readers were in the way: what could be moved was moved.
        guard code == SQLITE_OK || code & 0xFF == SQLITE_BUSY else {
            throw error("PRAGMA wal_checkpoint")
        }
        if logFrames == 0 { self.logFrames = 0 }
        return Checkpoint(logFrames: Int(logFrames), movedFrames: Int(movedFrames))
    }

    /// No checkpoint happens by itself inside a commit; `logFrames` tells when one is due.
    func takeOverCheckpoints() throws(SQLiteError) {
        try execute("PRAGMA wal_autocheckpoint = 0")
        sqlite3_wal_hook(handle, committed, Unmanaged.passUnretained(self).toOpaque())
    }

    /// Closing leaves the log where it is, for the next one who opens the file: SQLite checks the
    /// sums of the log only then.
    package func keepLogOnClose() {
        _ = millrace_db_config_flag(handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    }

    /// Ends whatever statement is still running, so that no read transaction stays open.
    package func resetStatements() {
        var statement = sqlite3_next_stmt(handle, nil)
        while let running = statement {
            if sqlite3_stmt_busy(running) != 0 { sqlite3_reset(running) }
            statement = sqlite3_next_stmt(handle, running)
        }
    }

    /// Whether a transaction is open. The corresponding C function is `sqlite3_get_autocommit`.
    package var isInTransaction: Bool { sqlite3_get_autocommit(handle) == 0 }

    /// The first column of the first row as an integer; nil without a row.
    package func integer(_ sql: String) throws(SQLiteError) -> Int64? {
        let statement = try prepare(sql)
        return try statement.step() ? statement.integer(0) : nil
    }
}

private func committed(
    _ context: UnsafeMutableRawPointer?, _: OpaquePointer?, _: UnsafePointer<CChar>?,
    _ frames: Int32
) -> Int32 {
    guard let context else { return SQLITE_OK }
    Unmanaged<Connection>.fromOpaque(context).takeUnretainedValue().logFrames = Int(frames)
    return SQLITE_OK
}
