import Primitives
import SQLite

extension EventStore {
    /// Refused events, newest first. Any thread that may block.
    /// - Parameter seq: only those below it: the `seq` of the last one seen; nil starts anew.
    package func quarantined(
        before seq: Int64? = nil, limit: Int, deadline: Deadline
    ) throws(StorageError) -> [QuarantinedEvent] {
        try readers.withReader(until: deadline) { (connection) throws(SQLiteError) in
            try QuarantineTable(connection: connection).list(before: seq ?? .max, limit: limit)
        }
    }

    /// Refused events as they came, oldest first, without those that were tried again with
    /// success. Any thread that may block.
    /// - Parameters:
    ///   - seq: only those above it.
    ///   - byteLimit: ends before their bytes pass it, but returns at least one.
    package func quarantinedRaw(
        after seq: Int64 = 0, limit: Int, byteLimit: Int = 8 << 20, deadline: Deadline
    ) throws(StorageError) -> [QuarantinedRaw] {
        try readers.withReader(until: deadline) { (connection) throws(SQLiteError) in
            try QuarantineTable(connection: connection)
                .raw(after: seq, limit: limit, byteLimit: byteLimit)
        }
    }

    /// Puts refused events into the open transaction and keeps to the limits.
    func keep(
        _ entries: [QuarantineEntry], _ writer: StoreWriter, _ counters: inout StoreCounters
    ) throws(StorageError) {
        guard !entries.isEmpty else { return }
        let table = QuarantineTable(connection: writer.connection)
        do {
            for entry in entries where !isErased(entry) { try table.insert(entry, &counters) }
            try table.trim(to: options.quarantine, &counters)
        } catch {
            throw StorageError(error, path)
        }
    }

    /// Whether an erasure that has begun asks for a refused event: it comes to quarantine later. Any
    /// thread.
    package func isErased(_ refused: QuarantinedRaw) -> Bool {
        isErased(refused.raw, received: refused.received)
    }

    /// Whether an erasure that has begun since asks for what is about to be set aside.
    private func isErased(_ entry: QuarantineEntry) -> Bool {
        isErased(entry.raw, received: entry.received)
    }

    private func isErased(_ raw: Bytes, received: Int64) -> Bool {
        guard let filter = erasures.filter(receivedAt: received) else { return false }
        return SetAsideJudge(filter).matches(raw.span, received: received)
    }

    private func isErased(_ change: QuarantineInbox.Change) -> Bool {
        if case .add(let entry) = change { isErased(entry) } else { false }
    }

    /// Carries out what other threads asked for. What fails stays in the inbox for the next time.
    func drainQuarantine(_ writer: StoreWriter) throws(StorageError) {
        let table = QuarantineTable(connection: writer.connection)
        try quarantine.inbox.drain(writer) { (changes, counters) throws(StorageError) in
            try attempt(path) { () throws(SQLiteError) in
                for change in changes where !isErased(change) {
                    try table.apply(change, &counters)
                }
                try table.trim(to: options.quarantine, &counters)
            }
        }
    }
}
