import Primitives
import SQLite
import Telemetry

/// The events of a node, in one SQLite file.
///
/// DESIGN. One thread, the writer's, calls `write`, `retain`, `maintain` and `close`; it owns the
/// one connection that writes. Everything else may be called by any thread that may block, and
/// reads through `readers`.
///
/// A batch is one transaction: rows, generations, refused events, and the position in the journal
/// up to which events are stored. So a batch that is written again after a crash finds its events
/// there already, and the position never promises what the rows do not have.
///
/// Commits do not wait for the disk (`synchronous=NORMAL`) unless the options say so. After a power
/// failure the file is consistent, but may be an older state than the last commit.
/// `durablePosition` is the position as of the last complete checkpoint: SQLite has then synced the
/// log, moved all of it into the database file and synced that (`Connection.Checkpoint`). The
/// journal keeps everything behind that position, so what a power failure takes from the store is
/// written again, and so is what a damaged write-ahead log loses.
package final class EventStore: @unchecked Sendable {  // `writer`: its thread. The rest: locks.
    package let path: String
    /// Tells this store from every other one, also from one that is made at the same path.
    package let identity: UInt64
    package let readers: ReaderPool
    /// Changes with the events that readers see, before anybody is told of a commit.
    package let version: StoreVersion
    /// Refused events and what became of them, handed over by any thread.
    package let quarantine = QuarantineInbox()
    /// Dead letters and positions of sinks, handed over by any thread.
    package let sinks = SinkInbox()
    /// Erasures that are known, and what has become of them.
    package let erasures: ErasureBook
    /// Orders of erasures, handed over by any thread: 64 KiB are 64 of them.
    let erasureInbox = StoreInbox<ErasureOrder>(roomLimits: [64 << 10])
    /// How far commits have come, for threads that wait: `ack=stored`, tails.
    package let committed: Monitor<CommitPoint>

    let options: EventStoreOptions
    let log: Logger
    private var openWriter: StoreWriter?
    private let observers = CommitObservers()
    /// What is done between batches, in order.
    let chores: Locked<[StoreChore]> = Locked(EventStore.ownChores)
    /// Called after each complete checkpoint, on the writer's thread.
    let durableObservers: Locked<[@Sendable () -> Void]>
    let published = Locked(StoreStatus())
    /// Events stored, and events that were there already, since it was opened. They count before
    /// anybody is told of the commit.
    package let inserted = Counter()
    package let duplicates = Counter()

    /// Opens the database file at `path`, and creates it if there is none.
    /// - Parameter now: milliseconds since 1970; noted in a new file.
    /// - Throws: `corrupt`, `newerSchema`, `foreignFile`, `full`, `inputOutput`.
    package init(
        path: String, now: Int64, log: Logger, options: EventStoreOptions = EventStoreOptions()
    ) throws(StorageError) {
        self.path = path
        self.log = log
        self.options = options
        let damage = DamageMarker(database: path)
        let writer = try StoreWriter(
            path: path, options: options, now: now, damage: damage, log: log)
        openWriter = writer
        version = writer.version
        durableObservers = Locked([
            { [quarantine] in quarantine.inbox.becomeDurable() },
            { [sinks] in sinks.inbox.becomeDurable() },
            { [erasureInbox] in erasureInbox.becomeDurable() },
        ])
        erasures = ErasureBook(
            try examine(path) { () throws(SQLiteError) in
                try ErasureTable(connection: writer.connection).all()
            })
        identity = try examine(path) { () throws(SQLiteError) in
            try StoreIdentity.read(writer.connection)
        }
        readers = ReaderPool(
            path: path, damage: damage, limit: options.readerCount,
            spared: options.sparedReaders, cacheKiB: options.readerCacheKiB)
        committed = Monitor(
            CommitPoint(
                position: UInt64(writer.counters.position), lastSeq: writer.counters.lastSeq))
        publish(writer)
    }

    /// What a batch came to.
    package struct WriteResult: Sendable, Equatable {
        package var inserted: Int
        package var duplicates: Int
    }

    /// Stores what `body` inserts, in one transaction. The writer's thread only.
    /// - Parameter position: the journal sequence that is stored with it; nil leaves it as it is,
    ///   for events that did not come from the journal.
    /// - Throws: what `body` throws, and what the commit met; nothing is then changed.
    @discardableResult
    package func write(
        position: UInt64?, _ body: (EventInserter) throws(StorageError) -> Void
    ) throws(StorageError) -> WriteResult {
        try write(position: position, body, beforeCommit: { () throws(StorageError) in })
    }

    /// Whether the store would store an event. It is taken back with all that follows from it. The
    /// writer's thread only.
    package func wouldStore(_ row: EventRow) -> Bool {
        var (isStored, isComplete) = (false, false)
        do throws(StorageError) {
            _ = try write(position: nil) { (inserter) throws(StorageError) in
                try inserter.add(row)
                isStored = try inserter.flush().isEmpty
            } beforeCommit: { () throws(StorageError) in
                isComplete = true
                throw StorageError(.misuse, "a trial is never committed")
            }
        } catch {
            // Thrown at its end, or by a failure before that.
            return isStored && isComplete
        }
        return false
    }

    private func write(
        position: UInt64?, _ body: (EventInserter) throws(StorageError) -> Void,
        beforeCommit: () throws(StorageError) -> Void
    ) throws(StorageError) -> WriteResult {
        let writer = try writer()
        let inserter = writer.inserter
        try awaitIdentities(writer)
        do {
            try writer.transact { (counters) throws(StorageError) in
                inserter.begin(after: counters.lastSeq)
                try body(inserter)
                try attempt(path) { () throws(SQLiteError) in try inserter.finish(&counters) }
                try keep(inserter.refused, writer, &counters)
                if let position { counters.position = Int64(position) }
                try beforeCommit()
            }
        } catch {
            inserter.rollback(to: writer.counters.lastSeq)
            publish(writer)
            throw error
        }
        inserter.commit()
        inserted.add(inserter.inserted)
        duplicates.add(inserter.duplicates)
        publish(writer)
        announce(writer)
        return WriteResult(inserted: inserter.inserted, duplicates: inserter.duplicates)
    }

    /// Sequence of the last journal record that is stored. Any thread.
    package var position: UInt64 { published.withLock { $0.position } }

    /// Sequence of the last journal record that no power failure takes from the store: the journal
    /// may let go of it. Any thread.
    package var durablePosition: UInt64 { published.withLock { $0.durablePosition } }

    /// Any thread; two `stat`s.
    package var status: StoreStatus {
        var status = published.withLock { $0 }
        status.fileBytes = StoreFile.size(path)
        status.logBytes = StoreFile.size(path + "-wal")
        status.quarantineDropped = quarantine.dropped
        return status
    }

    /// Calls `observer` after every commit of events, on the writer's thread: be quick, and do not
    /// call the store.
    /// - Returns: a token for `removeObserver`.
    package func onCommit(_ observer: @escaping @Sendable (CommitPoint) -> Void) -> Int {
        observers.add(observer)
    }

    package func removeObserver(_ token: Int) { observers.remove(token) }

    /// Calls `observer` after each complete checkpoint, when everything committed before it is safe
    /// from a power failure: what an inbox needs for its tickets. On the writer's thread: be quick.
    package func onDurable(_ observer: @escaping @Sendable () -> Void) {
        durableObservers.withLock { $0.append(observer) }
    }

    /// Waits until the journal up to `position` is stored.
    /// - Returns: false if the deadline passed first.
    package func waitUntilStored(_ position: UInt64, deadline: Deadline) -> Bool {
        committed.wait(until: deadline, for: { $0.position >= position }, then: { _ in true })
            ?? false
    }

    /// Writes down what waits, moves the log into the file, and closes. The writer's thread only;
    /// the store is of no use afterwards.
    /// - Parameter deadline: how long readers get to finish.
    package func close(deadline: Deadline) {
        guard let writer = openWriter else { return }
        readers.close()
        if !readers.drain(until: deadline) {
            log.warning("store closed under running queries") { $0.add("path", path) }
        }
        do {
            try drainQuarantine(writer)
            try drainSinks(writer)
            try checkpoint(writer, .truncate, now: nil)
        } catch {
            // Not lost: the journal still holds what no checkpoint has synced.
            log.warning("store closed without a checkpoint") { $0.add("error", error) }
        }
        writer.identities.index.close()
        options.derived?.close()
        publish(writer)
        openWriter = nil
    }

    /// Nil after `close`. The writer's thread only.
    var openedWriter: StoreWriter? { openWriter }

    /// - Throws: `closed` after `close`.
    func writer() throws(StorageError) -> StoreWriter {
        guard let openWriter else { throw StorageError(.closed, "\(path): the store is closed") }
        return openWriter
    }

    /// Makes the writer's numbers visible to all threads.
    func publish(_ writer: StoreWriter) {
        let counters = writer.counters
        published.withLock { status in
            status.rows = counters.rows
            status.lastSeq = counters.lastSeq
            status.position = UInt64(counters.position)
            status.durablePosition = UInt64(writer.durablePosition)
            status.quarantined = counters.quarantineRows
            status.quarantineTrimmed = counters.quarantineTrimmed
            status.deadLetters = counters.deadLetterRows
            status.deadLettersTrimmed = counters.deadLetterTrimmed
            status.erasedIdentities = counters.erasedIdentities
            status.areSetHashesKnown = counters.areSetHashesKnown
            status.isReadyToWrite = writer.identities.isReady
            status.hasIdentityWork =
                !writer.identities.index.isWhole || writer.identities.hasKeyIndex
            status.freePages = writer.freePages
            status.isSyncFailed = writer.isSyncFailed
        }
    }

    private func announce(_ writer: StoreWriter) {
        let point = CommitPoint(
            position: UInt64(writer.counters.position), lastSeq: writer.counters.lastSeq)
        committed.change { $0 = point }
        observers.notify(point)
    }
}
