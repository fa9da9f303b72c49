import HTTPClient
import OTLPMessages
import Primitives
import Telemetry

/// One forward: its queue in memory, its spool on disk, and the two threads that move records from
/// the one to the other and from there to the receiver.
///
///     intake → queue (bounded) → writer: OTLP message → spool (bounded) → sender → receiver
///
/// Invariants:
/// - `offer` never waits: what finds no room in the queue is dropped and counted.
/// - The writer waits for the disk alone, the sender for the receiver alone. A receiver that is away
///   fills the spool, and after that costs its own records and nothing else.
/// - A record counts as delivered when the receiver has answered 2xx, and is sent again until then;
///   the spool keeps it over restarts. So it arrives at least once, or is counted as dropped.
final class LogForwardLane: Sendable {
    private struct Queue {
        var batches: [LogBatch] = []
        /// With the batches that the writer is at.
        var bytes = 0
        var records = 0
        /// The writer ends with the queue empty.
        var isClosing = false
    }

    let options: LogForwardOptions
    let counters = LogForwardCounters()
    let sender: LogForwardSender
    private let spool: LogSpool
    private let log: Logger
    private let queue = Monitor(Queue())
    private let writer = ThreadSlot()

    /// - Throws: the spool cannot be opened.
    init(
        _ options: LogForwardOptions, directory: String, client: HTTPClient, log: Logger
    ) throws(LogSpoolError) {
        self.options = options
        self.log = log
        spool = try LogSpool(
            path: "\(directory)/\(options.name)", limitBytes: options.spoolLimitBytes)
        let target = LogForwardTarget(options, client: client, counters: counters, log: log)
        sender = LogForwardSender(spool, target, log: log)
    }

    /// Records and bytes that are on disk.
    var spooled: (records: Int, bytes: Int) { (spool.records, spool.bytes) }

    /// Records that were taken in and are not delivered yet, in memory and on disk.
    var waitingRecords: Int { queue.withLock { $0.records } + spool.records }

    func start() {
        writer.start(name: "log-spool") { [self] in write() }
        sender.start()
    }

    /// Queues a batch, or drops it. Any thread; never waits.
    func offer(_ batch: LogBatch) {
        let isQueued = queue.change { queue -> Bool in
            let hasRoom =
                queue.bytes == 0
                || queue.bytes + batch.byteCount <= LogForwardOptions.queueLimitBytes
            guard !queue.isClosing, hasRoom else { return false }
            queue.batches.append(batch)
            queue.bytes += batch.byteCount
            queue.records += batch.count
            return true
        }
        if !isQueued { counters.drop(.queueFull, wantedCount(of: batch)) }
    }

    /// Puts what is queued on disk, and ends the writer.
    func close() {
        queue.change { $0.isClosing = true }
        writer.join()
    }

    // MARK: The writer's thread

    private func write() {
        var message = OTLPLogsWriter()
        while let batches = nextBatches() {
            for batch in batches { write(batch, &message) }
            queue.withLock { queue in
                for batch in batches {
                    queue.bytes -= batch.byteCount
                    queue.records -= batch.count
                }
            }
        }
    }

    private func nextBatches() -> [LogBatch]? {
        queue.wait(for: { !$0.batches.isEmpty || $0.isClosing }) { queue -> [LogBatch]? in
            defer { queue.batches = [] }
            return queue.batches.isEmpty ? nil : queue.batches
        } ?? nil
    }

    private func write(_ batch: LogBatch, _ message: inout OTLPLogsWriter) {
        withExtendedLifetime(batch) {
            var records = batch.records
            while let record = records.next() {
                guard record.severity >= options.minimumSeverity else { continue }
                message.append(OTLPLogRecord(record))
                if message.byteCount >= LogForwardOptions.frameBytes { keep(&message) }
            }
        }
        keep(&message)
    }

    private func keep(_ message: inout OTLPLogsWriter) {
        let records = message.count
        guard records > 0 else { return }
        let bytes = message.finish()
        do throws(LogSpoolError) {
            let outcome = try withExtendedLifetime(bytes) { () throws(LogSpoolError) in
                try spool.append(bytes.span, records: records)
            }
            switch outcome {
            case .done: sender.wake()
            case .notSynced(let error):
                sender.wake()
                complain(error)
            case .full: counters.drop(.spoolFull, records)
            }
        } catch {
            counters.drop(.spoolError, records)
            complain(error)
        }
    }

    private func complain(_ error: LogSpoolError) {
        guard counters.note("spool: \(error)") else { return }
        log.warning("log records cannot be kept for forwarding") {
            $0.add("forward", options.name)
            $0.add("error", error)
        }
    }

    /// Records of a batch that this forward sends.
    private func wantedCount(of batch: LogBatch) -> Int {
        guard options.minimumSeverity > 0 else { return batch.count }
        return withExtendedLifetime(batch) {
            var (records, count) = (batch.records, 0)
            while let record = records.next() {
                if record.severity >= options.minimumSeverity { count += 1 }
            }
            return count
        }
    }
}

extension OTLPLogRecord {
    /// The record as OTLP says it, borrowed as `record` is.
    init(_ record: LogRecord) {
        self.init()
        time = UInt64(clamping: record.time)
        observed = UInt64(clamping: record.observed)
        severity = record.severity
        severityText = record.severityText
        body = record.body
        isJSONBody = record.flags.contains(.jsonBody)
        attributes = record.attributes
        flags = record.traceFlags
        traceID = record.flags.contains(.trace) ? record.traceID : nil
        spanID = record.flags.contains(.span) ? record.spanID : nil
        eventName = record.eventName
        resource = record.resource
        service = record.service
        scopeName = record.scopeName
        scopeVersion = record.scopeVersion
    }
}
