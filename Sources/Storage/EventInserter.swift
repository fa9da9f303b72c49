import Primitives
import SQLite

/// Puts events into the transaction that `EventStore.write` has open. The writer's thread only;
/// not to be kept beyond the call.
package final class EventInserter {
    private let connection: Connection
    private let secret: Key128
    private let identities: IdentityLookup
    /// Inserts one row, and `rowsAtOnce` rows.
    private let one: Statement
    private let many: Statement
    private let types: NameDictionary
    let sources: NameDictionary
    private var tally: RowTally
    private let identityHash = IdentityHash()
    private var identity = ByteBuffer(capacity: 512)
    /// Where the bound keys lie while a statement runs.
    private let keys: UnsafeMutableRawBufferPointer
    /// Rows that `add` took and `examineAll` has not looked up yet, in order.
    private var unexamined: [AddedRow] = []
    /// New rows that no statement has inserted yet.
    private var pending: [AddedRow] = []
    /// Of `pending`.
    private var pendingFingerprints: [UInt64] = []
    private var rejected: [RejectedRow] = []

    /// Of this transaction so far.
    package private(set) var inserted = 0
    /// Events that were already there: of this transaction so far.
    package private(set) var duplicates = 0
    /// Events that were erased before they were stored: of this transaction so far.
    package private(set) var erased = 0
    var refused: [QuarantineEntry] = []
    private var lastSeq: Int64 = 0

    /// Bytes that a type may have.
    package static let typeBytes = 1...255
    /// Rows that one statement inserts. Starting and ending a statement costs SQLite as much as a row
    /// does: 32 rows at once take little more than half the time of 32 statements, and more rows gain
    /// no more.
    private static let rowsAtOnce = 32
    /// Rows whose memory the processor is asked for before the first of them is looked up.
    private static let examinedAtOnce = 16
    private static let columnCount = 9
    private static let keyBytes = 16

    /// A row and the identities under which it is looked up.
    private struct AddedRow {
        var row: EventRow
        var key: Key128
        var isGenerated: Bool
        var fingerprint: UInt64
        /// The client's id is a UUID of version 7, so this service may have given it to the event.
        var returned: ReturnedID?
        var type: Int64
        var source: Int64
    }

    private struct ReturnedID {
        var uuid: Key128
        var fingerprint: UInt64
    }

    /// A row that can never be stored, and why.
    package struct RejectedRow {
        /// Its bytes are borrowed, as they were when it was added.
        package let row: EventRow
        package let error: StorageError
    }

    init(
        _ connection: Connection, secret: Key128, identities: IdentityLookup,
        derived: (any DerivedRows)?
    ) throws(SQLiteError) {
        self.connection = connection
        tally = RowTally(derived)
        self.identities = identities
        self.secret = secret
        one = try connection.prepare(EventInserter.sql(rows: 1))
        many = try connection.prepare(EventInserter.sql(rows: EventInserter.rowsAtOnce))
        types = try NameDictionary(
            table: "event_types", secret: secret, connection: connection,
            added: Generations.beginAtFloor)
        sources = try NameDictionary(table: "event_sources", secret: secret, connection: connection)
        keys = .allocate(
            byteCount: EventInserter.rowsAtOnce * EventInserter.keyBytes, alignment: 8)
        unexamined.reserveCapacity(EventInserter.examinedAtOnce)
        pending.reserveCapacity(EventInserter.rowsAtOnce)
        pendingFingerprints.reserveCapacity(EventInserter.rowsAtOnce)
    }

    deinit { keys.deallocate() }

    private static func sql(rows: Int) -> String {
        let row = "(" + Array(repeating: "?", count: columnCount).joined(separator: ", ") + ")"
        return """
            INSERT INTO event_rows(
                seq, key, time, type_id, source_id, id, subject, data, extensions)
            VALUES \(Array(repeating: row, count: rows).joined(separator: ", "))
            """
    }

    /// Takes one event to store, unless it is there already.
    ///
    /// Call `flush` before the end of `EventStore.write`; the row's bytes must stay valid until then.
    /// - Throws: `rejected` when this row can never be stored: the others of the transaction are not
    ///   touched by it, so the caller may set it aside (`quarantine`) and go on. What only SQLite can
    ///   find out is told by `flush`. Any other error must leave `write`, which rolls everything back.
    package func add(_ row: EventRow) throws(StorageError) {
        guard EventInserter.typeBytes.contains(row.type.count) else {
            throw StorageError(.rejected, "type has \(row.type.count) bytes; 1 to 255 are allowed")
        }
        guard Timestamp.range.contains(row.time) else {
            throw StorageError(.rejected, "time is outside the years 0000 to 9999")
        }
        let (type, source) = try attempt("event") { () throws(SQLiteError) in
            (try types.id(of: row.type), try sources.id(of: row.source))
        }
        let (key, isGenerated, returned) = identity(of: row)
        let fingerprint = identities.fingerprint(key, isGenerated: isGenerated)
        identities.index.prefetch(fingerprint)
        if let returned { identities.index.prefetch(returned.fingerprint) }
        unexamined.append(
            AddedRow(
                row: row, key: key, isGenerated: isGenerated, fingerprint: fingerprint,
                returned: returned, type: type, source: source))
        if unexamined.count >= EventInserter.examinedAtOnce { try examineAll() }
    }

    private func identity(
        of row: EventRow
    ) -> (key: Key128, isGenerated: Bool, returned: ReturnedID?) {
        switch row.identity {
        case .generated(let uuid): return (uuid, true, nil)
        case .client(let id):
            let returned = Key128(uuidV7: id).map {
                ReturnedID(
                    uuid: $0, fingerprint: identities.fingerprint($0, isGenerated: true))
            }
            return (hash(source: row.source, id: id), false, returned)
        }
    }

    /// Takes one event that is to be erased: of it only the identity is kept, so that it does not
    /// come again. One that is there already is left to the erasure that has begun.
    package func addErased(_ row: EventRow) throws(StorageError) {
        let (key, isGenerated, _) = identity(of: row)
        let fingerprint = identities.fingerprint(key, isGenerated: isGenerated)
        try examineAll()
        try insertPending()
        if try identities.has(key, isGenerated: isGenerated, fingerprint) { return }
        lastSeq += 1
        try attempt("event") { () throws(SQLiteError) in
            try ErasedIdentities(connection: connection, secret: secret).insert(
                seq: lastSeq, key: key, isGenerated: isGenerated, identity: hash(of: row))
        }
        identities.index.insert(fingerprint, seq: lastSeq)
        erased += 1
    }

    /// Whether the event with this id has been erased.
    /// - Throws: `busy` while identities have to be read again from the rows.
    func isErased(source: String, id: String) throws(StorageError) -> Bool {
        let (source, id) = (Bytes(source), Bytes(id))
        defer { withExtendedLifetime((source, id)) {} }
        if try identities.isErased(hash(source: source.span, id: id.span), isGenerated: false) {
            return true
        }
        guard let uuid = Key128(uuid: id.span) else { return false }
        return try identities.isErased(uuid, isGenerated: true)
    }

    /// Names may have been taken away.
    func forgetNames() {
        types.forget()
        sources.forget()
    }

    /// Stores what `add` took.
    /// - Returns: the rows that cannot be stored, of all that were added in this transaction.
    package func flush() throws(StorageError) -> [RejectedRow] {
        try examineAll()
        try insertPending()
        defer { rejected.removeAll() }
        return rejected
    }

    /// Sorts what `add` took into what is new and what is there already.
    private func examineAll() throws(StorageError) {
        for index in unexamined.indices {
            let next = unexamined[index]
            guard try isNew(next) else {
                duplicates += 1
                continue
            }
            pending.append(next)
            pendingFingerprints.append(next.fingerprint)
            if pending.count == EventInserter.rowsAtOnce { try insertPending() }
        }
        unexamined.removeAll(keepingCapacity: true)
    }

    private func isNew(_ next: AddedRow) throws(StorageError) -> Bool {
        if let returned = next.returned, try isReturned(returned, next) { return false }
        try insertPending(ifAnyHas: next.fingerprint)
        return try !identities.has(next.key, isGenerated: next.isGenerated, next.fingerprint)
    }

    /// Whether a client gives an event back under the id that it was given here. A UUID of version 7
    /// may also be a client's own, so only one that is there with the same source is the same.
    private func isReturned(
        _ returned: ReturnedID, _ next: AddedRow
    ) throws(StorageError) -> Bool {
        try insertPending(ifAnyHas: returned.fingerprint)
        return try identities.hasGenerated(
            returned.uuid, source: next.source, returned.fingerprint,
            identity: identityHash(source: next.row.source, generated: returned.uuid))
    }

    /// What may be the same event as the next must be in the store, or be refused, before that one is
    /// looked for.
    private func insertPending(ifAnyHas fingerprint: UInt64) throws(StorageError) {
        if pendingFingerprints.contains(fingerprint) { try insertPending() }
    }

    private func insertPending() throws(StorageError) {
        guard !pending.isEmpty else { return }
        defer { removePending() }
        if pending.count == EventInserter.rowsAtOnce, try insertTogether() { return }
        for row in pending {
            do throws(StorageError) {
                try attempt("event") { () throws(SQLiteError) in try insertAlone(row) }
            } catch {
                guard error.code == .rejected else { throw error }
                rejected.append(RejectedRow(row: row.row, error: error))
            }
        }
    }

    private func forgetAdded() {
        unexamined.removeAll(keepingCapacity: true)
        removePending()
    }

    private func removePending() {
        pending.removeAll(keepingCapacity: true)
        pendingFingerprints.removeAll(keepingCapacity: true)
    }

    private func insertAlone(_ row: AddedRow) throws(SQLiteError) {
        bind(row, at: 0, of: one)
        try one.run()
        count(row)
    }

    /// Inserts all of `pending` by one statement.
    /// - Returns: false if nothing was done, for one of them is refused and each must show by itself
    ///   which it is.
    private func insertTogether() throws(StorageError) -> Bool {
        do throws(StorageError) {
            try attempt("event") { () throws(SQLiteError) in
                for index in pending.indices { bind(pending[index], at: index, of: many) }
                try many.run()
            }
        } catch {
            // Nothing of the statement is left.
            guard error.code == .rejected else { throw error }
            return false
        }
        for row in pending { count(row) }
        return true
    }

    private func count(_ row: AddedRow) {
        inserted += 1
        lastSeq += 1
        identities.index.insert(row.fingerprint, seq: lastSeq)
        tally.inserted(
            TalliedRow(
                seq: lastSeq, time: row.row.time, typeID: row.type, sourceID: row.source,
                identity: hash(of: row.row), subject: row.row.subject, data: row.row.data,
                extensions: row.row.extensions))
    }

    private func hash(of row: EventRow) -> UInt64 {
        switch row.identity {
        case .generated(let uuid): identityHash(source: row.source, generated: uuid)
        case .client(let id): identityHash(source: row.source, id: id)
        }
    }

    /// Sets a refused event aside in the same transaction as the rest of its batch.
    package func quarantine(_ entry: QuarantineEntry) { refused.append(entry) }

    func begin(after lastSeq: Int64) {
        self.lastSeq = lastSeq
        inserted = 0
        duplicates = 0
        erased = 0
        forgetAdded()
        rejected.removeAll()
        refused.removeAll()
        tally.removeAll()
    }

    /// Writes what was added up and says so in `counters`.
    func finish(_ counters: inout StoreCounters) throws(SQLiteError) {
        precondition(
            unexamined.isEmpty && pending.isEmpty && rejected.isEmpty,
            "rows were added and not flushed")
        try tally.write(connection)
        counters.lastSeq = lastSeq
        counters.rows += Int64(inserted)
        counters.erasedIdentities += Int64(erased)
    }

    func commit() {
        identities.index.committed(lastSeq)
        types.commit()
        sources.commit()
        identity.shrink(above: 64 << 10)
    }

    /// - Parameter lastSeq: the last row that is committed.
    func rollback(to lastSeq: Int64) {
        identities.index.rolledBack(to: lastSeq)
        forgetAdded()
        rejected.removeAll()
        types.rollback()
        sources.rollback()
        tally.removeAll()
    }

    /// - Parameter index: the row's place in the statement.
    private func bind(_ pending: AddedRow, at index: Int, of statement: Statement) {
        let row = pending.row
        let first = index * EventInserter.columnCount + 1
        let key = UnsafeMutableRawBufferPointer(
            rebasing: keys[index * EventInserter.keyBytes..<(index + 1) * EventInserter.keyBytes])
        key.storeBytes(of: pending.key.high.bigEndian, as: UInt64.self)
        key.storeBytes(of: pending.key.low.bigEndian, toByteOffset: 8, as: UInt64.self)
        statement.bind(first, lastSeq + 1 + Int64(index))
        statement.bind(first + 1, borrowedBlob: UnsafeRawBufferPointer(key))
        statement.bind(first + 2, row.time)
        statement.bind(first + 3, pending.type)
        statement.bind(first + 4, pending.source)
        if case .client(let id) = row.identity {
            statement.bind(first + 5, borrowedText: id)
        } else {
            statement.bindNull(first + 5)
        }
        bind(statement, first + 6, row.subject)
        bind(statement, first + 7, row.data)
        bind(statement, first + 8, row.extensions)
    }

    /// The source's length goes first: with a separator, a source or an id that contains it could
    /// pass for another event, which would then be dropped as a duplicate.
    private func hash(source: UnsafeRawBufferPointer, id: UnsafeRawBufferPointer) -> Key128 {
        identity.removeAll()
        identity.append(littleEndian: UInt64(source.count))
        identity.append(source)
        identity.append(id)
        return Key128(hashing: identity.span, key: secret)
    }

    private func bind(_ statement: Statement, _ index: Int, _ text: UnsafeRawBufferPointer?) {
        if let text { statement.bind(index, borrowedText: text) } else { statement.bindNull(index) }
    }
}
