internal import Glibc
import Primitives
import Storage
import Telemetry

/// Logs that can be searched: a SQLite file with a full-text index for each day.
///
///     let store = try LogStore(directory: "data/logs", options, log: log)
///     store.start()
///     store.offer(batch)                                  // from any thread
///     try store.page(filter, before: nil, limit: 100, deadline: .after(.seconds(5)))
///
/// DESIGN. Batches wait in a bounded queue. One thread writes all that waits in one transaction a
/// day (`LogStoreWriter`); nobody else writes. What is queued is lost if the process is killed;
/// what is written survives that, and a power cut up to the last checkpoint. `stop` writes all.
///
/// Readers open a day's file for each question, newest day first, and first wait a moment for what
/// is queued: a record that was accepted is in the next answer unless the store is behind.
package final class LogStore: Sendable {
    /// Where retention is looked after, and a failed write is tried again.
    private static let pause = Duration.seconds(1)
    private static let retentionPause = Duration.seconds(10)
    private static let niceness: Int32 = 5
    /// How long a reader waits for what is queued.
    private static let freshnessPatience = Duration.milliseconds(500)
    /// Tries after `stop` to write to a disk that fails.
    private static let lastTries = 3

    /// Is told of records that have just become visible.
    package typealias Listener = @Sendable (LogCommit) -> Void

    package let counters = LogStoreCounters()
    let catalog: LogCatalog
    private let options: LogStoreOptions
    private let queue: LogQueue
    private let log: Logger
    private let listeners: Locked<[Listener]> = Locked([])
    private let thread: Locked<Thread?> = Locked(nil)
    private let pruner: LogPruner
    /// Handed to the thread when it starts.
    private let writer: Locked<UnsafeWriter?>
    private let lastArrivalAtStart: Int64

    /// The writer on its way to its thread.
    private struct UnsafeWriter: @unchecked Sendable {  // Handed over once, used by one thread.
        let writer: LogStoreWriter
    }

    /// Opens the files in `directory`, which is made if it is missing. A damaged one is set aside.
    package init(
        directory: String, _ options: LogStoreOptions, log: Logger
    ) throws(StorageError) {
        self.options = options
        self.log = log
        queue = LogQueue(limitBytes: options.queueBytes)
        catalog = try LogCatalog(directory: directory)
        let writer = try LogStoreWriter(catalog, options, counters, log: log)
        try writer.retain()
        lastArrivalAtStart = writer.arrival
        self.writer = Locked(UnsafeWriter(writer: writer))
        let queue = queue
        pruner = LogPruner(
            catalog, LogRetention(options.retention), counters, log: log,
            perform: { queue.add($0) })
    }

    /// The arrival number of the last record that was there when this was opened.
    package var initialArrival: Int64 { lastArrivalAtStart }

    package func start() {
        // Logs give way to events.
        let started = Thread(name: "log-store", priority: .yielding(LogStore.niceness)) { [self] in
            guard let writer = writer.withLock({ $0 })?.writer else { return }
            run(writer)
        }
        thread.withLock { $0 = started }
        pruner.start()
    }

    /// Writes what is queued, then ends the thread. Nothing is taken from now on.
    package func stop() {
        pruner.giveUp()
        queue.close()
        let running = thread.withLock { thread -> Thread? in
            defer { thread = nil }
            return thread
        }
        running?.join()
        pruner.join()
        writer.withLock { $0 = nil }
    }

    /// Queues a batch. Any thread; never blocks.
    /// - Returns: false if there is no room.
    package func offer(_ batch: LogBatch) -> Bool { queue.add(batch) }

    /// There is no room for a batch of usual size.
    package var isFull: Bool { queue.depth.bytes > options.queueBytes / 8 * 7 }

    /// The days that are not over take all that logs may take, and no day of the past is left to
    /// drop.
    package var isAtCap: Bool { counters.presentBytes.value > options.maxBytes }

    /// What waits to be written.
    package var queued: (bytes: Int, records: Int) { queue.depth }

    /// Calls `listener` on the store's thread after each transaction.
    package func onCommit(_ listener: @escaping Listener) {
        listeners.withLock { $0.append(listener) }
    }

    /// Waits until what is queued now can be read, but not for long.
    func freshen(until deadline: Deadline) {
        _ = queue.flush(until: min(deadline, .after(LogStore.freshnessPatience)))
    }

    /// Waits until everything that was offered is written.
    /// - Returns: false if `deadline` passed first.
    package func flush(until deadline: Deadline) -> Bool { queue.flush(until: deadline) }

    /// Runs `job` on the store's thread, after what was queued before it.
    /// - Returns: false once this has been stopped.
    func perform(_ job: @escaping LogQueue.Job) -> Bool { queue.add(job) }

    /// Has a file that a reader found damaged set aside.
    func setAside(_ file: LogCatalog.File, _ error: StorageError) {
        _ = perform { [log] writer in
            do throws(StorageError) { try writer.setAside(file, error) } catch {
                log.error("a damaged file of logs cannot be set aside") { $0.add("error", error) }
            }
        }
    }

    // MARK: The thread

    private func run(_ writer: LogStoreWriter) {
        var retained: MonotonicTime?
        while true {
            let turn = queue.next(gather: options.gather, patience: LogStore.pause)
            if !turn.batches.isEmpty { write(turn, writer) }
            for job in turn.jobs { job(writer) }
            let isDue =
                retained.map { MonotonicTime.now().since($0) >= LogStore.retentionPause } ?? true
            if isDue || writer.isSizeDue {
                retained = .now()
                do throws(StorageError) { try writer.retain() } catch {
                    log.warning("logs cannot be dropped") { $0.add("error", error) }
                }
            }
            if turn.isLast { break }
        }
        writer.closeAll()
    }

    private func write(_ turn: LogQueue.Turn, _ writer: LogStoreWriter) {
        var triesLeft = LogStore.lastTries
        let first = writer.begin(turn.batches)
        while true {
            do throws(StorageError) {
                try writer.write(turn.batches)
                queue.finish(turn.batches.count)
                let commit = LogCommit(
                    batches: turn.batches, firstArrival: first, rows: writer.rows)
                for listener in listeners.withLock({ $0 }) { listener(commit) }
                return
            } catch {
                counters.failures.add()
                log.warning("logs cannot be written") { $0.add("error", error) }
                writer.recover(from: error)
                // A full disk may have room again; what a batch itself is to blame for stays so.
                if !error.isRetryable || queue.isClosed { triesLeft -= 1 }
                guard triesLeft > 0 else {
                    let records = turn.batches.reduce(0) { $0 + $1.count }
                    counters.lost.add(records)
                    log.error("logs were lost") { $0.add("records", records) }
                    return queue.finish(turn.batches.count)
                }
            }
            sleep(until: .after(LogStore.pause))
        }
    }
}
