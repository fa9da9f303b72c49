internal import Glibc
import Primitives
import Storage
import Telemetry

/// Logs that are kept as lines of JSON, a file for each day on which they came:
/// `logs/2026-11-30.ndjson`. For programs that read files, and for more records than can be indexed.
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
        let started = Thread(name: "log-files", priority: .nice(LogFileStore.niceness)) {
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

    /// What waits to be written.
    package var queued: (bytes: Int, records: Int) { queue.depth }

    /// Waits until everything that was offered is written.
    /// - Returns: false if `deadline` passed first.
    package func flush(until deadline: Deadline) -> Bool { queue.flush(until: deadline) }

    // MARK: The thread

    private func run() {
        var file: LogLineFile?
        var retained: MonotonicTime?
        var text = ByteBuffer(capacity: 1 << 20)
        while true {
            let turn = queue.next(gather: options.gather, patience: LogFileStore.pause)
            if !turn.batches.isEmpty {
                text.removeAll()
                for batch in turn.batches { LogFileStore.append(batch, to: &text) }
                write(text.span, turn, &file)
                text.shrink(above: 16 << 20)
            }
            let isDue =
                retained.map { MonotonicTime.now().since($0) >= LogFileStore.retentionPause }
                ?? true
            if isDue {
                retained = .now()
                retain()
            }
            if turn.isLast { return }
        }
    }

    private static func append(_ batch: LogBatch, to text: inout ByteBuffer) {
        var records = batch.records
        while let record = records.next() {
            text.append(json: record, id: nil)
            text.append("\n")
        }
    }

    private func write(
        _ text: UnsafeRawBufferPointer, _ turn: LogQueue.Turn, _ file: inout LogLineFile?
    ) {
        let records = turn.batches.reduce(0) { $0 + $1.count }
        var triesLeft = LogFileStore.lastTries
        while true {
            do throws(StorageError) {
                let day = LogDay(milliseconds: WallClock.nowMilliseconds())
                let open: LogLineFile
                if let file, file.day == day {
                    open = file
                } else {
                    open = try LogLineFile(directory: directory, day: day)
                    file = open
                }
                try open.append(text)
                counters.stored.add(records)
                return queue.finish(turn.batches.count)
            } catch {
                counters.failures.add()
                log.warning("logs cannot be written") { $0.add("error", error) }
                // It may be that the file itself is what fails.
                file = nil
                if queue.isClosed { triesLeft -= 1 }
                guard triesLeft > 0 else {
                    counters.lost.add(records)
                    log.error("logs were lost") { $0.add("records", records) }
                    return queue.finish(turn.batches.count)
                }
            }
            sleep(until: .after(LogFileStore.pause))
        }
    }

    /// Removes the oldest files while one is too old, or all together are too large.
    private func retain() {
        let now = WallClock.nowMilliseconds()
        var files = LogLineFile.days(in: directory)
        var bytes = files.reduce(0) { $0 + LogLineFile.bytes(directory, $1) }
        while let oldest = files.first {
            let isExpired =
                options.retention.map { oldest.end + $0.wholeMilliseconds <= now } ?? false
            guard isExpired || (bytes > options.maxBytes && files.count > 1) else { break }
            let size = LogLineFile.bytes(directory, oldest)
            guard unlink(LogLineFile.path(directory, oldest)) == 0 else { break }
            counters.dropped.add()
            log.notice("a day of logs was dropped") {
                $0.add("day", oldest.text)
                $0.add("bytes", size)
            }
            files.removeFirst()
            bytes -= size
        }
        counters.bytes.set(bytes)
        counters.days.set(Int64(files.count))
    }
}
