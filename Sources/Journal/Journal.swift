import Primitives
import Telemetry

/// The promise: what it has completed is in an append-only, checksummed file and synced.
///
/// DESIGN. Segments of fixed size, filled with zeros ahead of use or used again, hold records of
/// consecutive sequences (`JournalRecord`, `JournalSegmentHeader`). One committer thread writes
/// (`JournalCommitter`), one keeper thread prepares and clears segments (`JournalKeeper`), readers
/// follow on threads of their own (`JournalReader`). They meet in the catalog, under one lock that
/// nobody holds across a system call. Consumers say how far they have stored what they read;
/// a segment goes when all of them are beyond it. If they fall behind by `maxBytes`, new batches
/// are refused: the oldest are never dropped.
package final class Journal: Sendable {
    /// Called on the committer's thread, once for each batch; it must not block.
    package typealias Completion = @Sendable (JournalBatch, JournalOutcome) -> Void

    let catalog: Monitor<JournalCatalog>
    package let directory: JournalDirectory
    let log: Logger
    private let options: JournalOptions
    let committer: JournalCommitter
    let keeper: JournalKeeper
    private let threads: Locked<[Thread]>

    /// Opens or creates the journal, brings it back into service (see `JournalRecovery`) and starts
    /// its threads. The caller holds a `DataDirectoryLock`.
    /// - Parameters:
    ///   - minimumNextSequence: above everything that any consumer has stored, so that a lost
    ///     journal directory does not give the same sequence twice.
    ///   - consumers: all who will call `release`. Nothing is cleared before each of them has.
    /// - Throws: `JournalError` if the directory cannot be used; damage inside it never throws.
    /// - Complexity: reads the segments that are not below `minimumNextSequence`.
    package init(
        options: JournalOptions, minimumNextSequence: UInt64 = 1, consumers: [String] = ["store"],
        log: Logger, faults: JournalFaults = .none
    ) throws(JournalError) {
        let options = try options.checked()
        self.options = options
        self.log = log
        try JournalDirectory.create(options.directory)
        directory = try JournalDirectory(path: options.directory, faults: faults)
        let recovered = try JournalRecovery(
            directory, options: options, minimumNext: minimumNextSequence, log: log)
        directory.retryPolicy.startServing()
        var known = recovered.catalog
        for consumer in consumers { known.released[consumer] = 0 }
        catalog = Monitor(known)
        keeper = JournalKeeper(
            catalog: catalog, directory: directory, options: options, salt: recovered.salt,
            log: log)
        committer = JournalCommitter(
            recovered, catalog: catalog, keeper: keeper, directory: directory, options: options,
            log: log)
        threads = Locked([
            Thread(name: "journal", priority: .prompt) { [committer] in committer.run() },
            Thread(name: "journal-files", priority: .nice(5)) { [keeper] in keeper.run() },
        ])
    }

    /// The threads hold the committer and the keeper, not the journal. `close` before, where
    /// waiting for them matters.
    deinit { signalClose() }

    /// Hands a batch over; it belongs to the journal until `completion`. Any thread; never waits
    /// for the disk. The same closure may be given every time, so a call need not allocate.
    package func submit(_ batch: JournalBatch, completion: @escaping Completion) {
        precondition(batch.isWhole, "a record of the batch is still open")
        let bytes = batch.bytes.count
        let refusal = committer.intake.change { intake -> JournalOutcome? in
            guard !intake.isClosed else { return .closed }
            guard intake.waitingBytes + bytes <= JournalCommitter.waitingLimitBytes else {
                return .full
            }
            intake.waiting.append(.init(batch: batch, completion: completion))
            intake.waitingBytes += bytes
            intake.waitingRecords += batch.recordCount
            return nil
        }
        if let refusal { completion(batch, refusal) }
    }

    /// Waits until a record behind `sequence` is committed.
    /// - Returns: whether one is; false once the deadline passed or, at once, when the journal is
    ///   closed.
    /// - Parameter isCalled: ends the wait as well; looked at whenever somebody rings. Be quick.
    package func waitForCommitted(
        after sequence: UInt64, until deadline: Deadline, or isCalled: () -> Bool = { false }
    ) -> Bool {
        catalog.wait(until: deadline) { catalog in
            if catalog.committed > sequence || catalog.isClosed || isCalled() { return true }
            catalog.hasWaiter = true
            return false
        } then: {
            $0.committed > sequence
        } ?? false
    }

    /// Lets those who wait look around: something other than a commit has happened. Any thread.
    package func ring() { catalog.change { _ in } }

    /// `consumer` has safely stored everything up to `sequence`. Any thread; the files are cleared
    /// by the keeper. A consumer may go back, as long as others or `retainBytes` hold the segments.
    package func release(upTo sequence: UInt64, by consumer: String) {
        let isWork = catalog.withLock { catalog -> Bool in
            catalog.released[consumer] = sequence
            return !catalog.surplus(retainBytes: options.retainBytes).isEmpty
        }
        if isWork { keeper.clear() }
    }

    /// The traces whose requests brought the records of `range`: for spans and log records about
    /// storing and forwarding them. As far as they are known: those of the newest batches since the
    /// start.
    package func traces(of range: ClosedRange<UInt64>) -> TraceLinks {
        catalog.withLock { $0.traces.links(range) }
    }

    /// Under this name its records go to others. Any thread.
    package var identity: JournalIdentity { catalog.withLock { $0.identity } }

    /// A record that was acknowledged could not be read: what others have of this journal may be all
    /// there is. From here on the journal has another name, so that it is stored from there.
    /// - Parameter floor: the store does not take records up to this one under the new name.
    package func renewIdentity(above floor: UInt64) {
        catalog.withLock { $0.identity = .random(above: floor) }
    }

    /// The last acknowledged sequence.
    package var committedSequence: UInt64 { catalog.withLock { $0.committed } }
    /// The last acknowledged sequence, and the bytes that some consumer still needs.
    package var backlog: (committed: UInt64, retainedBytes: Int) {
        catalog.withLock { ($0.committed, $0.retainedBytes) }
    }
    /// Whether those who post wait for a core rather than for the disk.
    package var isShortOfCores: Bool {
        catalog.withLock { MonotonicTime.now() < $0.coresAreShortUntil }
    }
    package var isClosed: Bool { catalog.withLock { $0.isClosed } }

    package var status: JournalStatus {
        var status = catalog.withLock { $0.status }
        status.sync = options.sync
        status.bytesOnDisk += status.spareSegments * options.segmentBytes
        return status
    }

    /// Commits what waits, syncs, and ends the threads. Readers and those who wait go on with what
    /// is there. Later batches are refused. Never call it from a completion.
    package func close() {
        signalClose()
        let threads = self.threads.withLock { threads -> [Thread] in
            defer { threads = [] }
            return threads
        }
        for thread in threads { thread.join() }
        catalog.change { $0.isClosed = true }
    }

    private func signalClose() {
        committer.intake.change { $0.isClosed = true }
        keeper.close()
    }
}
