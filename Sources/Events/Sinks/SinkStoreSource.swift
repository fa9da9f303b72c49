import Primitives
import Storage
import Synchronization

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

    /// For the read itself; waiting for events comes before it.
    private static let readTime = Duration.seconds(5)

    /// - Parameter position: from `EventStore.openSinks`.
    init(_ store: EventStore, _ options: SinkOptions, position: Int64) {
        self.store = store
        self.options = options
        self.position = Atomic(position)
    }

    var partitions: Int { 1 }
    /// Nobody else could take a batch.
    var heartbeat: Duration { .seconds(10) }
    var lost: UInt64 { 0 }
    var lag: Int64? { max(0, store.status.lastSeq - position.load(ordering: .relaxed)) }

    func next(_ partition: Int, until deadline: Deadline) throws(SinkSourceError) -> SinkBatch? {
        let start = position.load(ordering: .relaxed)
        let hasMore = store.committed.wait(
            until: deadline, for: { $0.lastSeq > start }, then: { _ in true })
        guard hasMore == true else { return nil }
        let batch = SinkBatch(partition: partition)
        do throws(StorageError) {
            let read = try store.read(
                after: start, into: batch.run, limit: options.batchSize,
                byteLimit: SinkOptions.requestLimitBytes, isWanted: options.filter.wants,
                deadline: .after(SinkStoreSource.readTime))
            batch.position = read.lastSeq
        } catch {
            throw SinkSourceError(error.description)
        }
        return batch.position > start ? batch : nil
    }

    func keep(_ batch: SinkBatch) {}

    func settle(
        _ batch: SinkBatch, dead: [DeadLetterEntry], until deadline: Deadline
    ) throws(SinkSourceError) {
        guard
            store.sinks.settle(dead, sink: options.name, position: batch.position) != nil
        else { throw SinkSourceError("dead letters wait to be stored") }
        position.store(batch.position, ordering: .relaxed)
    }
}
