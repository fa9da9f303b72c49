import Primitives
import SQLite

/// What tells a store from every other one: places and cursors name it, since the numbers of rows
/// mean nothing elsewhere.
enum StoreIdentity {
    /// Never 0, which is no store's. It comes from the secret that a store makes when it is created,
    /// and gives nothing of it away: a hash under a secret key tells nobody the key.
    static func read(_ connection: Connection) throws(SQLiteError) -> UInt64 {
        let select = try connection.prepare("SELECT value FROM meta WHERE key = 'identity_secret'")
        guard try select.step(), let secret = select.key(0) else { return 1 }
        let name = Bytes("store identity")
        let hash = withExtendedLifetime(name) { Key128(hashing: name.span, key: secret).high }
        return hash | 1
    }
}
