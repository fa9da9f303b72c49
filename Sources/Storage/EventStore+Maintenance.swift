import Primitives
import SQLite

extension EventStore {
    /// Frames of the log: a page and its header.
    private static let frameBytes = 4096 + 24
    /// Pages given back to the file system at once: 1 MiB, some milliseconds.
    private static let vacuumPages = 256
    /// Free pages that stay for the next events, at least: 8 MiB.
    private static let sparePages: Int64 = 2048
    /// How long a checkpoint may wait for readers once the log has grown over its limit.
    private static let readerWaitMilliseconds: Int32 = 100
    /// Refused events or dead letters that take longer to write than a batch may take while cores are
    /// short.
    private static let longInboxBytes = 1 << 20

    /// The chores of this room, in the order in which they run.
    static let ownChores: [StoreChore] = [
        StoreChore("quarantine") { (store, _) throws(StorageError) in
            try store.drainQuarantine(try store.writer())
        },
        StoreChore("sinks") { (store, moment) throws(StorageError) in
            try store.attendToSinks(try store.writer(), moment)
        },
        StoreChore("erasures") { (store, moment) throws(StorageError) in
            try store.attendToErasures(try store.writer(), moment)
        },
        StoreChore("checkpoints") { (store, moment) throws(StorageError) in
            try store.checkpointIfDue(try store.writer(), moment)
        },
        StoreChore("set hashes") { (store, _) throws(StorageError) in
            try store.fillSetHashes(try store.writer())
        },
        StoreChore("identities") { (store, moment) throws(StorageError) in
            try store.attendToIdentities(try store.writer(), moment)
        },
        StoreChore("dropped rollups") { (store, _) throws(StorageError) in
            try store.clearDroppedRollups(try store.writer())
        },
        StoreChore("free space") { (store, moment) throws(StorageError) in
            if moment.isIdle { try store.vacuumStep(try store.writer()) }
        },
    ]

    /// Has `chore` done between batches from now on, after those that are there. Any thread; before
    /// the writer's thread starts.
    package func add(_ chore: StoreChore) { chores.withLock { $0.append(chore) } }

    /// Somebody waits for a chore: an idle writer should not rest. Any thread.
    package var hasUrgentChore: Bool {
        !quarantine.isEmpty || sinks.isUrgent || !erasureInbox.isEmpty
            || erasures.nextOfStore != nil
            || published.withLock { !$0.areSetHashesKnown || $0.hasIdentityWork }
            || chores.withLock { $0 }.contains { $0.isUrgent() }
    }

    /// A chore is due that may take tens of milliseconds of processor time and cannot be interrupted. A
    /// thread of low priority should leave it to another one: while cores are short it may get less than
    /// a hundredth of a core. The writer's thread only.
    /// - Parameter isIdle: as in `maintain`.
    package func hasLongChore(now: MonotonicTime, isIdle: Bool) -> Bool {
        guard let writer = try? writer() else { return false }
        return quarantine.inbox.waitingBytes > EventStore.longInboxBytes
            || sinks.inbox.waitingBytes > EventStore.longInboxBytes
            || !erasureInbox.isEmpty || erasures.nextOfStore?.stage == .copies
            || writer.identities.hasKeyIndex && writer.identities.index.isWhole
            || dueCheckpoint(writer, now: now, isIdle: isIdle) != nil
    }

    /// Does what has to be done between batches. The writer's thread only. Takes some tens of
    /// milliseconds when a checkpoint is due, next to nothing otherwise. Call it after each batch,
    /// and about every 100 ms without any.
    /// - Parameters:
    ///   - wall: milliseconds since 1970.
    ///   - isIdle: nothing is waiting to be written.
    /// - Throws: what the first chore that failed met, as `write`; the others have run all the same.
    ///   What failed is tried again by the next call.
    package func maintain(
        now: MonotonicTime, wall: Int64 = WallClock.nowMilliseconds(), isIdle: Bool
    ) throws(StorageError) {
        let writer = try writer()
        defer { publish(writer) }
        let moment = ChoreMoment(now: now, wall: wall, isIdle: isIdle)
        var failure: StorageError?
        for chore in chores.withLock({ $0 }) {
            do throws(StorageError) { try chore.run(self, moment) } catch {
                failure = failure ?? error
            }
        }
        if let failure { throw failure }
    }

    /// Moves the whole log into the file if no reader is in the way, so that `durablePosition`
    /// catches up with `position`. The writer's thread only.
    /// - Returns: whether it did.
    @discardableResult
    package func checkpoint() throws(StorageError) -> Bool {
        let writer = try writer()
        defer { publish(writer) }
        return try checkpoint(writer, .passive, now: nil)
    }

    @discardableResult
    func checkpoint(
        _ writer: StoreWriter, _ mode: Connection.CheckpointMode, now: MonotonicTime?,
        waitMilliseconds: Int32 = 0
    ) throws(StorageError) -> Bool {
        guard !writer.isSyncFailed else {
            throw StorageError(.syncFailed, "\(path): an earlier fsync failed; reopen the store")
        }
        if let now { writer.lastCheckpoint = now }
        do {
            if writer.overwriting != nil {
                writer.overwriting?.changed.formUnion(try writer.connection.pagesInLog())
            }
            let wait = isLogTooLong(writer) ? EventStore.readerWaitMilliseconds : 0
            let result = try writer.connection.checkpoint(
                mode, waitMilliseconds: max(wait, waitMilliseconds))
            writer.checkpointedFrames = max(result.logFrames, 0)
            guard result.isComplete else { return false }
            writer.durablePosition = writer.counters.position
            for observer in durableObservers.withLock({ $0 }) { observer() }
            if let now { writer.lastCompleteCheckpoint = now }
            return true
        } catch {
            let error = StorageError(error, path)
            writer.note(error)
            throw error
        }
    }

    private func checkpointIfDue(
        _ writer: StoreWriter, _ moment: ChoreMoment
    ) throws(StorageError) {
        if let mode = dueCheckpoint(writer, now: moment.now, isIdle: moment.isIdle) {
            try checkpoint(writer, mode, now: moment.now)
        }
    }

    private func dueCheckpoint(
        _ writer: StoreWriter, now: MonotonicTime, isIdle: Bool
    ) -> Connection.CheckpointMode? {
        let frames = writer.connection.logFrames
        guard frames > 0 else { return nil }
        guard let last = writer.lastCheckpoint else {
            writer.lastCheckpoint = now
            return nil
        }
        // The log starts over once all of it has been moved, so it may well have become shorter.
        let hasShrunk = frames < writer.checkpointedFrames
        let grownFrames = hasShrunk ? frames : frames - writer.checkpointedFrames
        let isDue = now.since(last) >= options.checkpointInterval
        if grownFrames > 0, grownFrames * EventStore.frameBytes >= dueBytes() {
            return isLogTooLong(writer) ? .truncate : .passive
        }
        guard isDue else { return nil }
        if isIdle { return .truncate }
        // What has no position counts too: sinks wait until their dead letters are durable.
        return grownFrames > 0 || writer.durablePosition < writer.counters.position ? .passive : nil
    }

    /// Readers that overlap keep the log from starting over, so sometimes they have to be waited
    /// for: those that come meanwhile read the file alone and are not in the way.
    private func isLogTooLong(_ writer: StoreWriter) -> Bool {
        writer.connection.logFrames * EventStore.frameBytes >= options.logLimitBytes
    }

    /// How much the log may grow before it is moved.
    private func dueBytes() -> Int {
        let share = Int(StoreFile.size(path) / 8)
        return min(max(options.checkpointBytes, share), max(options.logLimitBytes / 2, 1))
    }

    /// Gives back a little of what retention has freed, once that is more than an eighth of the
    /// file and more than the next events will need.
    private func vacuumStep(_ writer: StoreWriter) throws(StorageError) {
        let connection = writer.connection
        do {
            writer.freePages = try connection.integer("PRAGMA freelist_count") ?? 0
            guard writer.freePages > EventStore.sparePages else { return }
            let pages = try connection.integer("PRAGMA page_count") ?? 0
            guard writer.freePages > pages / 8 else { return }
            try connection.execute("PRAGMA incremental_vacuum(\(EventStore.vacuumPages))")
        } catch {
            let error = StorageError(error, path)
            writer.note(error)
            throw error
        }
    }
}
