import HTTPClient
import Primitives
import Storage
import Telemetry

/// One sink: its receiver, its source, and a lane for each partition of that. Any thread.
final class Sink: Sendable {
    let options: SinkOptions
    let target: SinkTarget
    let lanes: [SinkLane]
    private let source: any SinkSource
    private let isReplaying = Locked(false)

    init(
        _ options: SinkOptions, source: any SinkSource, client: HTTPClient,
        isStopping: Monitor<Bool>, log: Logger
    ) {
        self.options = options
        self.source = source
        let target = SinkTarget(options, client: client, counters: SinkCounters(), log: log)
        self.target = target
        lanes = (0..<source.partitions).map { partition in
            SinkLane(
                partition: partition, source: source, target: target, isStopping: isStopping,
                log: log)
        }
    }

    var status: SinkStatus {
        let counters = target.counters
        return SinkStatus(
            name: options.name, origin: HTTPReceiver.origin(of: options.url),
            types: options.filter.patterns,
            delivered: counters.delivered.count, batches: counters.batches.count,
            failedAttempts: counters.failed.count, refusals: counters.refused.count,
            deadLetters: counters.deadLetters.count, redelivered: source.redelivered,
            lost: source.lost, partitions: source.ownPartitions, lag: source.lag,
            lastError: counters.lastError,
            breaker: target.breaker.snapshot(at: .now()),
            durations: counters.durations.snapshot)
    }

    /// Delivers the sink's dead letters again. One call at a time: two would deliver each twice.
    /// - Throws: `busy` while another call does it; `store` if they cannot be read.
    func replay(_ store: EventStore, deadline: Deadline) throws(SinkReplayError) -> SinkReplay {
        let isFree = isReplaying.withLock { isReplaying in
            defer { isReplaying = true }
            return !isReplaying
        }
        guard isFree else { throw .busy }
        defer { isReplaying.withLock { $0 = false } }
        var replay = SinkReplay()
        do throws(StorageError) {
            try replay.run(target, store, deadline)
        } catch { throw .store(error) }
        return replay
    }
}
