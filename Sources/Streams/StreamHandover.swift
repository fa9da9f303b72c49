import Primitives
import Redis

/// What the consumer hands to the writer, and what it acknowledges to Redis once that is stored. The
/// consumer's thread only.
final class StreamHandover {
    private let consumer: StreamConsumer
    private let reader: GroupReader
    /// Stored, and not yet known to be acknowledged: an answer that was lost is asked for again.
    private var unacknowledged: [StoredEntries] = []
    /// When Redis was last known to have lost data: its ids from before are those of other entries.
    private var lossSeen: MonotonicTime?
    /// Entries have to be read again: the journal lost a record that may be one of theirs.
    private(set) var hasForgotten = false

    private static let wait = Duration.milliseconds(100)

    init(_ consumer: StreamConsumer, _ reader: GroupReader) {
        self.consumer = consumer
        self.reader = reader
    }

    /// Gives a batch to the writer, if there is anything in it.
    func put(_ batch: StreamBatch) {
        if batch.goneCount > 0 { consumer.lost(batch.goneCount, "trimmed while pending") }
        if batch.isEmpty { return consumer.queue.giveBack(batch) }
        if batch.isStored { return consumer.queue.hold(batch) }
        consumer.queue.put(batch)
        // The writer waits there, for events of either kind.
        consumer.journal.ring()
    }

    /// Everything is about to be read again.
    func begin() {
        hasForgotten = false
        // An id is only good for the Redis that gave it.
        guard consumer.lossDetector.lostAt != lossSeen else { return }
        lossSeen = consumer.lossDetector.lostAt
        unacknowledged.removeAll()
    }

    /// Acknowledges what is stored, by itself.
    func acknowledge() throws(RedisError) {
        var pipeline = RedisPipeline()
        addAcknowledgements(to: &pipeline)
        try reader.send(pipeline)
        acknowledged()
    }

    /// Asks to acknowledge what is stored; `acknowledged` says that it was answered.
    func addAcknowledgements(to pipeline: inout RedisPipeline) {
        let stored = consumer.queue.takeStored()
        unacknowledged += stored.entries
        if stored.hasForgotten { hasForgotten = true }
        for stored in unacknowledged {
            for (partition, entries) in stored.entries.enumerated() {
                reader.addAcknowledgement(of: entries, partition, to: &pipeline)
            }
        }
    }

    func acknowledged() { unacknowledged.removeAll(keepingCapacity: true) }

    /// Lets the writer store what is in hand, and acknowledges it. Otherwise it would be read again
    /// as pending, or, where a cap has cut it meanwhile, be nowhere any more.
    /// - Returns: false if it is to stop first.
    func waitForStore() throws(RedisError) -> Bool {
        var isStored = false
        repeat {
            try acknowledge()
            isStored = consumer.queue.waitUntilStored(until: .after(StreamHandover.wait))
        } while !isStored && !consumer.isStopping
        try acknowledge()
        return isStored
    }

    /// Waits until the writer has room.
    /// - Returns: false if it is to stop.
    func waitForRoom() throws(RedisError) -> Bool {
        while !consumer.isStopping {
            if consumer.queue.waitForRoom(until: .after(StreamHandover.wait)) { return true }
            try acknowledge()
        }
        return false
    }
}
