import HTTPServer
import Primitives
import Synchronization

/// A key that the service knows: its record, whom it makes of a request, and when it was used last.
final class Key: Sendable {
    let record: KeyRecord
    let principal: Principal
    /// Milliseconds since 1970; 0: not yet.
    private let used: Atomic<Int64>

    /// - Parameter earlier: the key of this hash in the version of the file before.
    init(_ record: KeyRecord, lastUsed: Int64 = 0, earlier: Key? = nil) {
        self.record = record
        // Another field that changes gives nobody a full bucket.
        let quota = earlier?.principal.quota
        principal = Principal(
            name: record.name, scopes: Set(record.scopes.map(\.rawValue)), types: record.types,
            queries: record.queries,
            quota: quota?.rates == record.quota ? quota : Quota(record.quota))
        used = Atomic(lastUsed)
    }

    var lastUsed: Int64 { used.load(ordering: .relaxed) }

    /// Any thread. A second is precise enough, and keeps the loops from fighting for a cache line.
    func noteUse(at now: Int64) {
        if now - used.load(ordering: .relaxed) >= 1000 { used.store(now, ordering: .relaxed) }
    }
}

/// All keys of one version of the file.
final class KeyRing: Sendable {
    let keys: [Key]
    private let byHash: [KeyHash: Key]
    private let byPrincipal: [ObjectIdentifier: Key]

    static let empty = KeyRing([])

    init(_ keys: [Key]) {
        self.keys = keys
        byHash = Dictionary(
            keys.map { ($0.record.hash, $0) }, uniquingKeysWith: { first, _ in first })
        byPrincipal = Dictionary(
            uniqueKeysWithValues: keys.map { (ObjectIdentifier($0.principal), $0) })
    }

    /// The ring of another version of the file. Keys that have not changed stay the same objects,
    /// with their time of last use. A quota that has not changed stays as used as it is.
    func with(_ records: [KeyRecord]) -> KeyRing {
        KeyRing(
            records.map { record in
                guard let key = byHash[record.hash] else { return Key(record) }
                return key.record == record
                    ? key : Key(record, lastUsed: key.lastUsed, earlier: key)
            })
    }

    /// Whether requests of a caller would still be taken.
    func isValid(_ principal: Principal, at now: Int64) -> Bool {
        byPrincipal[ObjectIdentifier(principal)]?.record.isExpired(at: now) == false
    }

    /// The key that made `principal`; nil if it is no longer there or has changed.
    func key(of principal: Principal) -> Key? { byPrincipal[ObjectIdentifier(principal)] }

    /// The key of a text; nil if there is none. Two texts of which one begins like the other take
    /// the same time: only their hashes are compared, and those without a branch on their bytes.
    func key(_ text: UnsafeRawBufferPointer) -> Key? {
        guard text.count <= NewKey.limitBytes else { return nil }
        return byHash[KeyHash(of: text)]
    }
}
