import EventCoding
import Primitives
import Storage
import Streams

/// Storing what came by way of the streams.
extension EventWriter {
    /// Attempts after which the events of a batch are stored one by one.
    private static let attemptLimit = 5

    /// Stores the next batch of the streams.
    /// - Returns: true when none waits.
    func writeStreamed(_ streams: EventStreams) throws(EventWriterError) -> Bool {
        guard let batch = streams.queue.next() else { return true }
        do throws(StorageError) {
            if batch.isSuspect { try storeOneByOne(batch) }
            try store(batch)
        } catch {
            batch.attempts += 1
            // Only a mistake of ours is bound to one of its events; a disk's is not.
            if error.code == .misuse, batch.attempts >= EventWriter.attemptLimit {
                batch.isSuspect = true
            }
            streams.queue.putBack(batch)
            throw .store(error)
        }
        streams.queue.stored(batch)
        return false
    }

    private func store(_ batch: StreamBatch) throws(StorageError) {
        try store.write(position: nil) { (inserter) throws(StorageError) in
            for entry in batch.refused { inserter.quarantine(entry) }
            if !batch.isSuspect {
                try add(batch.payload.span, to: inserter, erasing: erasures(since: batch))
            }
            try addErased(batch.erased.span, to: inserter)
            try flush(inserter)
        }
    }

    /// What is erased of a batch that was read before somebody ordered it.
    private func erasures(since batch: StreamBatch) -> ErasureFilter? {
        store.erasures.filter(after: batch.erasureEpoch)
    }

    /// Keeps the identities of events that were erased on their way.
    private func addErased(
        _ events: UnsafeRawBufferPointer, to inserter: EventInserter
    ) throws(StorageError) {
        var payload = EventPayload(events)
        while let row = try? payload.next() { try inserter.addErased(row) }
    }

    /// Stores each event in a transaction of its own, and sets aside those that cannot be stored.
    private func storeOneByOne(_ batch: StreamBatch) throws(StorageError) {
        var events = EventPayload(batch.payload.span)
        while true {
            let start = events.offset
            guard (try? events.skip()) == true else { return }
            let event = UnsafeRawBufferPointer(
                rebasing: batch.payload.span[start..<events.offset])
            do throws(StorageError) {
                try store.write(position: nil) { (inserter) throws(StorageError) in
                    try add(event, to: inserter, erasing: erasures(since: batch))
                    try flush(inserter)
                }
            } catch {
                guard error.code == .misuse else { throw error }
                try store.write(position: nil) { (inserter) throws(StorageError) in
                    setAside(.record(event, "given_up", error.message), inserter)
                }
            }
        }
    }
}
