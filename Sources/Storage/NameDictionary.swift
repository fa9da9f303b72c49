internal import Glibc
import Primitives
import SQLite

/// Numbers for the names that repeat in every event: its type and its source.
///
/// An open-addressing table in front of a dictionary table, keyed by SipHash under the store's
/// secret: no String and no allocation for a name that is known. The writer's thread only.
final class NameDictionary {
    private struct Slot {
        var key: Key128
        /// 0: the slot is free.
        var id: Int64
    }

    /// Beyond this it starts anew: 10,000 names fill at most 32,768 slots of 24 bytes, 768 KiB.
    private static let nameLimit = 10_000

    private let secret: Key128
    private let select: Statement
    private let insert: Statement
    private var slots: [Slot]
    private var count = 0
    /// The name asked for last: batches mostly repeat it, and comparing is cheaper than hashing.
    private var last = ByteBuffer(capacity: 64)
    private var lastID: Int64 = 0
    /// Whether rows were added since `commit`; a rollback takes them away again.
    private var hasNewNames = false
    /// Run with the number of each new name.
    private let added: Statement?
    /// Of the numbers that `watch` named, those that nobody has asked for or noted since.
    private(set) var unseen: Set<Int64> = []

    /// - Parameters:
    ///   - table: `event_types` or `event_sources`.
    ///   - added: a statement that follows the insertion of a name, with its number as `?1`.
    init(
        table: String, secret: Key128, connection: Connection, added: String? = nil
    ) throws(SQLiteError) {
        self.secret = secret
        self.added = try added.map { (sql) throws(SQLiteError) in try connection.prepare(sql) }
        select = try connection.prepare("SELECT id FROM \(table) WHERE name = ?1")
        insert = try connection.prepare("INSERT INTO \(table)(name) VALUES(?1) RETURNING id")
        slots = NameDictionary.empty(256)
    }

    /// The number of `name`, which is added if it is new.
    func id(of name: UnsafeRawBufferPointer) throws(SQLiteError) -> Int64 {
        if lastID != 0, last.count == name.count, equal(last.span, name) { return lastID }
        let key = Key128(hashing: name, key: secret)
        var index = position(of: key)
        if slots[index].id == 0 {
            let id = try stored(name)
            index = makeRoom(for: key, at: index)
            slots[index] = Slot(key: key, id: id)
            count += 1
        }
        last.removeAll()
        last.append(name)
        lastID = slots[index].id
        return lastID
    }

    func commit() { hasNewNames = false }

    /// Forgets numbers that the rolled-back transaction gave out.
    func rollback() {
        if hasNewNames { forget() }
    }

    /// Asks the table again for every name.
    func forget() {
        slots = NameDictionary.empty(256)
        count = 0
        lastID = 0
        hasNewNames = false
    }

    /// Begins to find out which of `ids` are in use: every name is asked for anew, so a use shows.
    func watch(_ ids: Set<Int64>) {
        forget()
        unseen = ids
    }

    /// A number is in use, or of no interest any more.
    func noteSeen(_ id: Int64) {
        if !unseen.isEmpty { unseen.remove(id) }
    }

    private func stored(_ name: UnsafeRawBufferPointer) throws(SQLiteError) -> Int64 {
        select.bind(1, borrowedText: name)
        if try select.step() {
            defer { select.reset() }
            noteSeen(select.integer(0))
            return select.integer(0)
        }
        insert.bind(1, borrowedText: name)
        defer { insert.reset() }
        guard try insert.step() else { return 0 }
        hasNewNames = true
        let id = insert.integer(0)
        if let added {
            added.bind(1, id)
            try added.run()
        }
        return id
    }

    /// The slot that holds `key`, or the free one where it belongs.
    private func position(of key: Key128) -> Int {
        let mask = slots.count - 1
        var index = Int(truncatingIfNeeded: key.low) & mask
        while slots[index].id != 0, slots[index].key != key { index = (index + 1) & mask }
        return index
    }

    /// Keeps the table at most half full. Returns where `key` belongs now.
    private func makeRoom(for key: Key128, at index: Int) -> Int {
        guard count * 2 >= slots.count || count >= NameDictionary.nameLimit else { return index }
        let old = slots
        let isFull = count >= NameDictionary.nameLimit
        slots = NameDictionary.empty(isFull ? 256 : old.count * 2)
        if isFull { count = 0 }
        for slot in old where slot.id != 0 && !isFull { slots[position(of: slot.key)] = slot }
        return position(of: key)
    }

    private static func empty(_ count: Int) -> [Slot] {
        Array(repeating: Slot(key: Key128(high: 0, low: 0), id: 0), count: count)
    }
}

private func equal(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool {
    guard a.count == b.count else { return false }
    guard let left = a.baseAddress, let right = b.baseAddress else { return true }
    return memcmp(left, right, a.count) == 0
}
