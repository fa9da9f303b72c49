import Primitives
import Storage
import Synchronization
import Telemetry

/// A sink's events as this node's store has them, in the order of storing: the source without
/// Redis. One partition.
///
/// The position lies in the store itself and is written with the dead letters before it. So what
/// a power failure takes from the store it takes from both: events that come back from the journal
/// get their `seq` anew, and the position never lies beyond an event that was not delivered. The
/// journal need not be held for a receiver that is long dead.
final class SinkStoreSource: SinkSource {
    private let store: EventStore
    private let options: SinkOptions
    /// Changed by the lane's thread alone.
    private let position: Atomic<Int64>
    private let lostCount = Counter()
    private let log: Logger
    /// The lane's thread alone.
    private let report = Locked(Report())

    /// What was lost since it was last told of.
    private struct Report {
        var count = 0
        var next = MonotonicTime(nanoseconds: 0)
    }

    /// A receiver that is slower than retention loses something with each read.
    private static let reportInterval = Duration.seconds(60)
    /// For the read itself; waiting for events comes before it.
    private static let readTime = Duration.seconds(5)

    /// - Parameter position: from `EventStore.openSinks`.
    init(_ store: EventStore, _ options: SinkOptions, position: Int64, log: Logger) {
        self.store = store
        self.log = log
        self.options = options
        self.position = Atomic(position)
    }

    var partitions: Int { 1 }
    var ownPartitions: [Int]? { nil }
    /// Nobody else could take a batch.
    var heartbeat: Duration { .seconds(10) }
    var lost: UInt64 { lostCount.count }
    var redelivered: UInt64 { 0 }
    var lag: Int64? { max(0, store.status.lastSeq - position.load(ordering: .relaxed)) }

    func next(_ partition: Int, until deadline: Deadline) throws(SinkSourceError) -> SinkBatch? {
        let start = position.load(ordering: .relaxed)
        let newest = store.committed.wait(
            until: deadline, for: { $0.lastSeq > start }, then: { $0.lastSeq })
        guard let newest else { return nil }
        let batch = SinkBatch(partition: partition)
        do throws(StorageError) {
            let read = try store.read(
                after: start, through: newest, into: batch.run, limit: options.batchSize,
                byteLimit: SinkOptions.requestLimitBytes, isWanted: options.filter.wants,
                deadline: .after(SinkStoreSource.readTime))
            batch.position = read.lastSeq
            note(read.goneCount)
        } catch {
            throw SinkSourceError(error.description)
        }
        return batch.position > start ? batch : nil
    }

    func keep(_ batch: SinkBatch) {}

    private func note(_ goneCount: Int) {
        lostCount.add(goneCount)
        let count = report.withLock { report -> Int in
            report.count += goneCount
            let now = MonotonicTime.now()
            guard report.count > 0, now >= report.next else { return 0 }
            defer { report = Report(next: now + SinkStoreSource.reportInterval) }
            return report.count
        }
        guard count > 0 else { return }
        log.error("events were deleted before they reached a sink") {
            $0.add("sink", options.name)
            $0.add("events", count)
        }
    }

    func settle(
        _ batch: SinkBatch, dead: [DeadLetterEntry], until deadline: Deadline
    ) throws(SinkSourceError) -> Bool {
        guard
            store.sinks.settle(dead, sink: options.name, position: batch.position) != nil
        else { throw SinkSourceError("dead letters wait to be stored") }
        position.store(batch.position, ordering: .relaxed)
        return true
    }
}
