import EventCoding
import Primitives
import Storage
import Streams

/// Storing what came by way of the streams.
extension EventWriter {
    /// Stores what the streams bring while nothing can be read of the journal.
    /// - Parameter time: for so long, unless the service stops or the other thread has a chore to do.
    func storeStreamed(for time: Duration, _ turn: Turn) throws(EventWriterError) {
        let deadline = Deadline.after(time)
        guard let streams, !isStopping else { return pause(time) }
        while !deadline.hasPassed, !isStopping {
            let isIdle = try writeStreamed(streams)
            if leavesChore(turn, isIdle: isIdle) { return }
            try maintain(isIdle: isIdle)
            guard isIdle else { continue }
            if journal.isClosed { return pause(time) }
            _ = journal.waitForCommitted(
                after: .max, until: min(deadline, .after(EventWriter.idleWait)),
                or: { streams.queue.hasWaiting })
        }
    }

    /// Stores the next batch of the streams.
    /// - Returns: true when none waits.
    func writeStreamed(_ streams: EventStreams) throws(EventWriterError) -> Bool {
        guard let batch = streams.queue.next() else { return true }
        do throws(StorageError) {
            if batch.isSuspect {
                try storeOneByOne([batch.payload.span]) { _ in erasures(since: batch) }
            }
            try store(batch)
        } catch {
            batch.attempts += 1
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
}
