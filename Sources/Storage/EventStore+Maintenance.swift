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

    /// What has to be done between batches: refused events, what sinks hand over, checkpoints,
    /// giving back space.
    /// The writer's thread only. Takes some tens of milliseconds when a checkpoint is due, next to
    /// nothing otherwise. Call it after each batch, and about every 100 ms without any.
    /// - Parameter isIdle: nothing is waiting to be written.
    /// - Throws: as `write`; what failed is tried again by the next call.
    package func maintain(now: MonotonicTime, isIdle: Bool) throws(StorageError) {
        let writer = try writer()
        defer { publish(writer) }
        if !quarantine.isEmpty { try drainQuarantine(writer) }
        if isSinkWriteDue(writer, now: now, isIdle: isIdle) {
            try drainSinks(writer)
            writer.lastSinkWrite = now
        }
        if let mode = dueCheckpoint(writer, now: now, isIdle: isIdle) {
            try checkpoint(writer, mode, now: now)
        }
        if isIdle { try vacuumStep(writer) }
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
        _ writer: StoreWriter, _ mode: Connection.CheckpointMode, now: MonotonicTime?
    ) throws(StorageError) -> Bool {
        guard !writer.isSyncFailed else {
            throw StorageError(.syncFailed, "\(path): an earlier fsync failed; reopen the store")
        }
        if let now { writer.lastCheckpoint = now }
        do {
            let result = try writer.connection.checkpoint(
                mode, waitMilliseconds: isLogTooLong(writer) ? EventStore.readerWaitMilliseconds : 0
            )
            writer.checkpointedFrames = max(result.logFrames, 0)
            guard result.isComplete else { return false }
            writer.durablePosition = writer.counters.position
            sinks.becomeDurable()
            quarantine.becomeDurable()
            if let now { writer.lastCompleteCheckpoint = now }
            return true
        } catch {
            let error = StorageError(error, path)
            writer.note(error)
            throw error
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
