import Primitives
import SQLite

/// What a cached answer was computed from: a number for each event type and minute of event time.
///
/// DESIGN. `generations.count` grows by one for every event that is stored with that type in that
/// minute, and once more when retention deletes it, in the transaction that does it. The sum over a
/// range of minutes therefore never goes down, and grows whenever an answer over that range may
/// change: an answer is valid exactly as long as the sum is what it was. Nodes that hold the same
/// events have the same sums.
///
/// Minutes whose events retention has deleted would pile up for ever. They are *folded*: their
/// counts move to one row of the type, `foldedMinute`. The *horizon* is the minute below which that
/// may have happened; a sum over a range that begins below it includes the folded row. So folding
/// never makes a sum smaller, and ranges that begin above the horizon do not notice it.
///
/// The rows are a sparse index too: they say in which minutes a rare type has events at all.
package enum Generations {
    /// Where folded counts are kept: below every real minute.
    static let foldedMinute = Int64.min
    /// Before the first minute that a time can have.
    package static let firstMinute = Int64.min / 60_000 - 1

    /// The minute that `time`, in milliseconds since 1970, lies in.
    package static func minute(of time: Int64) -> Int64 {
        time / 60_000 - (time % 60_000 < 0 ? 1 : 0)
    }

    /// The sum over `types` (all, if empty) and the minutes that `[from, to)` touches.
    ///
    /// Read it in the same `withReader` as the rows, which is one snapshot.
    /// - Parameters: `from`, `to`: milliseconds since 1970; nil is without end.
    package static func sum(
        _ connection: Connection, types: [String], from: Int64?, to: Int64?
    ) throws(SQLiteError) -> Int64 {
        let first = from.map(minute) ?? firstMinute
        let last = to.map { minute(of: $0 &- 1) } ?? Int64.max
        guard first <= last, to != Int64.min else { return 0 }
        let horizon =
            try connection.integer("SELECT value FROM meta WHERE key = 'generation_horizon'")
            ?? firstMinute
        let statement = try connection.cached(
            """
            SELECT coalesce(sum(count), 0) FROM generations
            WHERE type_id = ?1 AND (minute BETWEEN ?2 AND ?3 OR (?4 AND minute = ?5))
            """)
        var sum: Int64 = 0
        for type in try typeIDs(connection, types) {
            statement.bind(1, type)
            statement.bind(2, first)
            statement.bind(3, last)
            statement.bind(4, Int64(first < horizon ? 1 : 0))
            statement.bind(5, foldedMinute)
            if try statement.step() { sum &+= statement.integer(0) }
            statement.rewind()
        }
        return sum
    }

    /// The numbers of `names`, unknown ones left out; of all types if `names` is empty.
    package static func typeIDs(
        _ connection: Connection, _ names: [String]
    ) throws(SQLiteError) -> [Int64] {
        try ids(connection, table: "event_types", names)
    }

    static func ids(
        _ connection: Connection, table: String, _ names: [String]
    ) throws(SQLiteError) -> [Int64] {
        var ids: [Int64] = []
        if names.isEmpty {
            let all = try connection.cached("SELECT id FROM \(table)")
            while try all.step() { ids.append(all.integer(0)) }
            return ids
        }
        let one = try connection.cached("SELECT id FROM \(table) WHERE name = ?1")
        for name in Set(names.map { ExactText($0) }) {
            one.bind(1, name.text)
            if try one.step() { ids.append(one.integer(0)) }
            one.reset()
        }
        return ids
    }
}

/// The changes of one transaction, added up before they are written: one upsert a touched pair.
struct GenerationTally {
    private struct Pair: Hashable {
        var type: Int64
        var minute: Int64
    }

    static let upsert = """
        INSERT INTO generations(type_id, minute, count) VALUES(?1, ?2, ?3)
        ON CONFLICT(type_id, minute) DO UPDATE SET count = count + excluded.count
        """

    private var counts: [Pair: Int64] = [:]
    /// The pair counted last, kept out of the dictionary: neighbours mostly share it.
    private var current = Pair(type: 0, minute: 0)
    private var currentCount: Int64 = 0

    /// Counts a row that came or went.
    mutating func changed(_ row: TalliedRow) {
        let minute = Generations.minute(of: row.time)
        if current.minute != minute || current.type != row.typeID {
            settle()
            current = Pair(type: row.typeID, minute: minute)
        }
        currentCount += 1
    }

    mutating func removeAll() {
        counts.removeAll(keepingCapacity: counts.capacity < 4096)
        currentCount = 0
    }

    /// Writes the sums and starts anew.
    mutating func write(_ connection: Connection) throws(SQLiteError) {
        settle()
        guard !counts.isEmpty else { return }
        let upsert = try connection.cached(GenerationTally.upsert)
        for (pair, count) in counts {
            upsert.bind(1, pair.type)
            upsert.bind(2, pair.minute)
            upsert.bind(3, count)
            try upsert.run()
        }
        removeAll()
    }

    private mutating func settle() {
        if currentCount > 0 { counts[current, default: 0] += currentCount }
        currentCount = 0
    }
}
