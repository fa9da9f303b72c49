internal import Glibc
import Primitives
import SQLite

/// Texts that many rows share, such as services and resources: a row holds a number for each.
struct LogNames {
    enum Kind: Int, CaseIterable { case level, service, scope, version, resource }

    /// Names kept in memory; beyond it they are looked up again.
    private static let limit = 10_000
    /// Longer ones are not kept, so all together are at most 10 MB.
    private static let keptBytes = 1024

    private let find: Statement
    private let add: Statement
    private let connection: Connection
    private var known: [[UInt8]: Int64] = [:]
    /// The last text of each kind: records that come together have most in common.
    private var last: [Last] = Kind.allCases.map { _ in Last() }

    private struct Last {
        var text: [UInt8] = []
        var id: Int64 = 0

        /// At the speed of memory: a resource may have 250 KiB, and is asked for at each record.
        func equals(_ other: UnsafeRawBufferPointer) -> Bool {
            guard text.count == other.count, let start = other.baseAddress else { return false }
            return text.withUnsafeBytes { text in
                text.baseAddress.map { memcmp($0, start, other.count) == 0 } ?? false
            }
        }
    }

    init(_ connection: Connection) throws(SQLiteError) {
        self.connection = connection
        find = try connection.prepare("SELECT id FROM names WHERE text = ?1")
        add = try connection.prepare("INSERT INTO names (text) VALUES (?1)")
    }

    /// The number of `text`, which is added if it is new; nil for no text.
    mutating func id(
        _ text: UnsafeRawBufferPointer, _ kind: Kind
    ) throws(SQLiteError) -> Int64? {
        guard !text.isEmpty else { return nil }
        if last[kind.rawValue].equals(text) { return last[kind.rawValue].id }
        let key = Array(text)
        let id: Int64
        if let found = known[key] { id = found } else { id = try lookUp(text) }
        if key.count <= LogNames.keptBytes {
            if known.count >= LogNames.limit { known.removeAll(keepingCapacity: true) }
            known[key] = id
        }
        last[kind.rawValue] = Last(text: key, id: id)
        return id
    }

    /// What a transaction added that was rolled back is not there.
    mutating func forget() {
        known.removeAll()
        last = Kind.allCases.map { _ in Last() }
    }

    private func lookUp(_ text: UnsafeRawBufferPointer) throws(SQLiteError) -> Int64 {
        find.bind(1, borrowedText: text)
        if try find.step() {
            let id = find.integer(0)
            find.rewind()
            return id
        }
        add.bind(1, borrowedText: text)
        try add.run()
        return connection.lastInsertRowID
    }
}
