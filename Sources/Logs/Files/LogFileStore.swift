internal import Glibc
import Primitives
import Storage
import Telemetry

/// Logs that are kept as lines of JSON, a file for each day on which they came:
/// `logs/2026-11-30.ndjson`, and others for services that are kept for another time (`LogLineName`).
/// For programs that read files, and for more records than can be indexed.
///
/// One thread writes what waits in a bounded queue. A killed process loses what is queued, and its
/// last line may be cut, which the next start takes off; so a file is lines of whole records.
package final class LogFileStore: Sendable {
    private static let pause = Duration.seconds(1)
    private static let retentionPause = Duration.seconds(10)
    private static let niceness: Int32 = 5
    /// Tries after `stop` to write to a disk that fails.
    private static let lastTries = 3

    package let counters = LogStoreCounters()
    private let directory: String
    private let options: LogStoreOptions
    private let queue: LogQueue
    private let log: Logger
    private let thread: Locked<Thread?> = Locked(nil)

    /// - Throws: when the directory cannot be made.
    package init(
        directory: String, _ options: LogStoreOptions, log: Logger
    ) throws(StorageError) {
        self.directory = directory
        self.options = options
        self.log = log
        queue = LogQueue(limitBytes: options.queueBytes)
        guard mkdir(directory, 0o700) == 0 || errno == EEXIST else {
            throw StorageError(.inputOutput, "\(directory): \(String(cString: strerror(errno)))")
        }
    }

    package func start() {
        let started = Thread(name: "log-files", priority: .yielding(LogFileStore.niceness)) {
            [self] in run()
        }
        thread.withLock { $0 = started }
    }

    /// Writes what is queued, then ends the thread. Nothing is taken from now on.
    package func stop() {
        queue.close()
        let running = thread.withLock { thread -> Thread? in
            defer { thread = nil }
            return thread
        }
        running?.join()
    }

    /// Queues a batch. Any thread; never blocks.
    /// - Returns: false if there is no room.
    package func offer(_ batch: LogBatch) -> Bool { queue.add(batch) }

    /// There is no room for a batch of usual size.
    package var isFull: Bool { queue.depth.bytes > options.queueBytes / 8 * 7 }

    /// The files of days that are not over take all that logs may take.
    package var isAtCap: Bool { counters.presentBytes.value > options.maxBytes }

    /// What waits to be written.
    package var queued: (bytes: Int, records: Int) { queue.depth }

    /// Waits until everything that was offered is written.
    /// - Returns: false if `deadline` passed first.
    package func flush(until deadline: Deadline) -> Bool { queue.flush(until: deadline) }

    // MARK: The thread

    private func run() {
        let groups = LogLineGroups(LogRetention(options.retention), directory: directory)
        var retained: MonotonicTime?
        var bytesWritten: Int64 = 0
        while true {
            let turn = queue.next(gather: options.gather, patience: LogFileStore.pause)
            if !turn.batches.isEmpty {
                func write(_ group: LogLineGroup) {
                    bytesWritten += Int64(group.byteCount)
                    self.write(group)
                }
                for batch in turn.batches { groups.append(batch, write: write) }
                for group in groups.all { write(group) }
                queue.finish(turn.batches.count)
            }
            let isDue =
                retained.map { MonotonicTime.now().since($0) >= LogFileStore.retentionPause }
                ?? true
            if isDue || counters.bytes.value + bytesWritten > options.maxBytes {
                retained = .now()
                bytesWritten = 0
                groups.closePast()
                retain()
            }
            if turn.isLast { return }
        }
    }

    /// Tries until the lines are written, or given up because the service has to end.
    private func write(_ group: LogLineGroup) {
        let records = group.records
        var triesLeft = LogFileStore.lastTries
        while true {
            do throws(StorageError) {
                try group.write()
                return counters.stored.add(records)
            } catch {
                counters.failures.add()
                log.warning("logs cannot be written") { $0.add("error", error) }
                if queue.isClosed { triesLeft -= 1 }
                guard triesLeft > 0 else {
                    counters.lost.add(records)
                    log.error("logs were lost") { $0.add("records", records) }
                    return group.forget()
                }
            }
            sleep(until: .after(LogFileStore.pause))
        }
    }

    /// Removes files whose time is over, and the oldest ones while all together are too large. A
    /// file of a day that is not over stays: today's is open, and what is written to it would be
    /// lost.
    private func retain() {
        let now = WallClock.nowMilliseconds()
        let today = LogDay(milliseconds: now)
        let standard = options.retention.standard
        var files = LogLineName.all(in: directory).map {
            (name: $0, bytes: LogCatalog.size($0.path(in: directory)))
        }
        var bytes = files.reduce(0) { $0 + $1.bytes }
        files.removeAll { file in
            let isOver = file.name.isOver(standard: standard, now: now)
            guard file.name.day < today, isOver || bytes > options.maxBytes,
                remove(file.name, file.bytes)
            else { return false }
            bytes -= file.bytes
            return true
        }
        counters.bytes.set(bytes)
        counters.presentBytes.set(
            files.filter { $0.name.day >= today }.reduce(0) { $0 + $1.bytes })
        counters.days.set(Int64(Set(files.map(\.name.day)).count))
    }

    private func remove(_ name: LogLineName, _ bytes: Int64) -> Bool {
        guard unlink(name.path(in: directory)) == 0 else { return false }
        counters.dropped.add()
        log.notice("a day of logs was dropped") {
            $0.add("day", name.day.text)
            $0.add("bytes", bytes)
        }
        return true
    }
}
