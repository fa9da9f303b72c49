import Primitives
import SQLite

/// Puts events into the transaction that `EventStore.write` has open. The writer's thread only;
/// not to be kept beyond the call.
package final class EventInserter {
    private let connection: Connection
    private let secret: Key128
    private let statement: Statement
    /// Finds an event that was given its id here.
    private let generated: Statement
    private let types: NameDictionary
    private let sources: NameDictionary
    private var generations = GenerationTally()
    private var identity = ByteBuffer(capacity: 512)
    /// Where the bound key lies while the statement runs.
    private let key: UnsafeMutableRawBufferPointer

    /// Of this transaction so far.
    package private(set) var inserted = 0
    /// Events that were already there: of this transaction so far.
    package private(set) var duplicates = 0
    var refused: [QuarantineEntry] = []
    private var lastSeq: Int64 = 0

    /// Bytes that a type may have.
    package static let typeBytes = 1...255

    init(_ connection: Connection, secret: Key128) throws(SQLiteError) {
        self.connection = connection
        self.secret = secret
        statement = try connection.prepare(
            """
            INSERT INTO event_rows(
                seq, key, time, type_id, source_id, id, subject, data, extensions)
            VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT(key) DO NOTHING
            """)
        generated = try connection.prepare(
            "SELECT 1 FROM event_rows WHERE key = ?1 AND id IS NULL AND source_id = ?2")
        types = try NameDictionary(table: "event_types", secret: secret, connection: connection)
        sources = try NameDictionary(table: "event_sources", secret: secret, connection: connection)
        key = .allocate(byteCount: 16, alignment: 8)
    }

    deinit { key.deallocate() }

    /// Stores one event, unless it is there already.
    /// - Returns: false if it was already there.
    /// - Throws: `rejected` when this row can never be stored: the others of the transaction are
    ///   not touched by it, so the caller may set the row aside (`quarantine`) and go on. Any other
    ///   error must leave `write`, which rolls everything back.
    package func insert(_ row: EventRow) throws(StorageError) -> Bool {
        guard EventInserter.typeBytes.contains(row.type.count) else {
            throw StorageError(.rejected, "type has \(row.type.count) bytes; 1 to 255 are allowed")
        }
        guard Timestamp.range.contains(row.time) else {
            throw StorageError(.rejected, "time is outside the years 0000 to 9999")
        }
        do {
            let type = try types.id(of: row.type)
            let source = try sources.id(of: row.source)
            guard try !isReturned(row, source: source) else {
                duplicates += 1
                return false
            }
            statement.bind(1, lastSeq + 1)
            statement.bind(3, row.time)
            statement.bind(4, type)
            statement.bind(5, source)
            bindIdentity(row)
            bind(7, row.subject)
            bind(8, row.data)
            bind(9, row.extensions)
            try statement.run()
            guard connection.changes > 0 else {
                duplicates += 1
                return false
            }
            generations.add(type: type, time: row.time)
        } catch {
            throw StorageError(error, "event")
        }
        inserted += 1
        lastSeq += 1
        return true
    }

    /// Sets a refused event aside in the same transaction as the rest of its batch.
    package func quarantine(_ entry: QuarantineEntry) { refused.append(entry) }

    func begin(after lastSeq: Int64) {
        self.lastSeq = lastSeq
        inserted = 0
        duplicates = 0
        refused.removeAll()
        generations.removeAll()
    }

    /// Writes what was added up and says so in `counters`.
    func finish(_ counters: inout StoreCounters) throws(SQLiteError) {
        try generations.write(connection)
        counters.lastSeq = lastSeq
        counters.rows += Int64(inserted)
    }

    func commit() {
        types.commit()
        sources.commit()
        identity.shrink(above: 64 << 10)
    }

    func rollback() {
        types.rollback()
        sources.rollback()
        generations.removeAll()
    }

    /// Whether a client gives an event back under the id that it was given here. A UUID of version 7
    /// may also be a client's own, so only one that is there with the same source is the same.
    private func isReturned(_ row: EventRow, source: Int64) throws(SQLiteError) -> Bool {
        guard case .client(let id) = row.identity, let uuid = Key128(uuid: id),
            uuid.high >> 12 & 0xF == 7
        else { return false }
        defer { generated.reset() }
        generated.bind(1, uuid)
        generated.bind(2, source)
        return try generated.step()
    }

    private func bindIdentity(_ row: EventRow) {
        let value: Key128
        switch row.identity {
        case .generated(let uuid):
            value = uuid
            statement.bindNull(6)
        case .client(let id):
            value = hash(source: row.source, id: id)
            statement.bind(6, borrowedText: id)
        }
        key.storeBytes(of: value.high.bigEndian, as: UInt64.self)
        key.storeBytes(of: value.low.bigEndian, toByteOffset: 8, as: UInt64.self)
        statement.bind(2, borrowedBlob: UnsafeRawBufferPointer(key))
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

    private func bind(_ index: Int, _ text: UnsafeRawBufferPointer?) {
        if let text { statement.bind(index, borrowedText: text) } else { statement.bindNull(index) }
    }
}
