import Primitives
import Storage
import Telemetry

/// What the forwarder does about a record that is no sequence of events.
extension ForwarderRun {
    /// The writer takes some milliseconds; after this the store counts as failing.
    private static let settleLimit = Duration.seconds(1)

    /// A checksum was right, and still this is no event: the store sets it aside when it takes the
    /// journal itself; on the way through the streams it must be done here, and the position does
    /// not pass it before quarantine has it: the journal's is the only copy.
    ///
    /// Committed is enough: the store's position passes the record with a later commit, and the
    /// journal keeps it until that one is durable.
    /// - Returns: false if what is encoded has to be sent first, so that it does not wait.
    /// - Throws: if the store did not take it in time; the next attempt asks again.
    func setAside(_ entry: JournalEntry) throws(ForwarderError) -> Bool {
        let (sequence, store) = (entry.sequence, forwarder.store)
        // The store may have taken the record from the journal meanwhile.
        guard sequence > max(setAsideSequence, store.position) else { return true }
        let ticket = handOver(entry)
        guard encoder.eventCount == 0, records.isEmpty else { return false }
        if let ticket {
            let isKept = store.quarantine.waitUntilWritten(
                ticket, deadline: .after(ForwarderRun.settleLimit),
                isCancelled: { [forwarder] in
                    store.position >= sequence || forwarder.state.withLock { $0.isStopping }
                })
            if isKept {
                setAsideSequence = sequence
                settling = nil
            }
        }
        guard sequence <= max(setAsideSequence, store.position) else {
            throw .store(StorageError(.busy, "a journal record waits for quarantine"))
        }
        return true
    }

    /// - Returns: what to wait for; nil while there is no room.
    private func handOver(_ entry: JournalEntry) -> UInt64? {
        if settling?.sequence != entry.sequence {
            settling = (entry.sequence, nil)
            forwarder.log.error("a journal record cannot be read") {
                $0.add("sequence", entry.sequence)
            }
        }
        if let ticket = settling?.ticket { return ticket }
        let ticket = forwarder.store.quarantine.settle(.unreadableRecord(entry.payload))
        settling?.ticket = ticket
        // Wherever the writer waits for events.
        forwarder.journal.ring()
        forwarder.queue.ring()
        return ticket
    }
}
