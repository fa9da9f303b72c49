import Primitives
import SQLite

extension EventStore {
    /// What is not in the store is known not to be there, so that events can be stored. False while
    /// identities are read again from the rows: `maintain` does it step by step. Any thread.
    package var isReadyToWrite: Bool { published.withLock { $0.isReadyToWrite } }

    /// Reads what is missing of the identity index, without a pause: before the first transaction, if
    /// nobody had `maintain` do it.
    func awaitIdentities(_ writer: StoreWriter) throws(StorageError) {
        try writer.identities.index.checkRoom()
        while !writer.identities.isReady { try writer.identities.refillStep() }
    }

    /// One step of what the identity index needs.
    func attendToIdentities(_ writer: StoreWriter, _ moment: ChoreMoment) throws(StorageError) {
        let identities = writer.identities
        do throws(StorageError) {
            if identities.index.isWhole {
                if identities.hasKeyIndex { try identities.dropKeyIndex() }
            } else {
                try identities.refillStep()
            }
            let firstSeq = try attempt(path) { () throws(SQLiteError) in
                try IdentityLookup.firstSeq(writer.connection)
            }
            identities.index.maintain(
                rows: writer.counters.rows + writer.counters.erasedIdentities,
                firstSeq: firstSeq ?? writer.counters.lastSeq + 1,
                now: moment.now)
        } catch {
            writer.note(error)
            throw error
        }
    }
}
