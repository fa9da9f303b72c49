import Primitives
import SQLite

/// What an answer was computed from, as far as the store knows: see `Generations`.
package struct GenerationState: Sendable, Equatable {
    /// How often rows came or went. On one node, equal counts mean equal answers.
    package var count: Int64 = 0
    /// The wrapping sum of `IdentityHash` of the rows that are there. Between nodes, equal hashes mean
    /// the same rows. Nil while it is unknown: a store of an earlier version is still being read.
    package var setHash: UInt64? = 0

    package init() {}
}

/// What a cached answer was computed from: a number for each event type and minute of event time.
///
/// DESIGN. `generations.count` grows by one for every event that is stored with that type in that
/// minute, and once more when retention deletes it, in the transaction that does it. The sum over a
/// range of minutes therefore never goes down, and grows whenever an answer over that range may
/// change: an answer is valid exactly as long as the sum is what it was.
///
/// Between nodes a count is no identity: a node that holds {x, y} and one that holds {x, z} count the
/// same while both events are on their way. So beside it lies a *set hash*, the wrapping sum of the
/// hashes of the identities that are there; a deletion subtracts. Sums over ranges keep its meaning.
///
/// Minutes whose events retention has deleted would pile up for ever. They are *folded*: their
/// counts move to one row of the type, `foldedMinute`. The *horizon* is the minute below which that
/// may have happened; a sum over a range that begins below it includes the folded row. So folding
/// never makes a sum smaller, and ranges that begin above the horizon do not notice it.
///
/// The rows are a sparse index too: they say in which minutes a rare type has events at all.
///
/// A long range has very many minutes. So `generation_days` holds the same sums for each type and
/// day, changed together with them, and a range is summed from its whole days and the minutes at its
/// ends. What is folded leaves its day too, and the last of a day takes the day's row with it.
package enum Generations {
    /// Where folded counts are kept: below every real minute.
    static let foldedMinute = Int64.min
    /// What types counted whose names have gone, see `EventStore.removeUnusedNames`. SQLite numbers
    /// rows from 1.
    static let retiredType: Int64 = 0
    /// Follows the insertion of a type, whose number is `?1`.
    static let beginAtFloor = """
        INSERT INTO generations(type_id, minute, count, set_hash)
            SELECT ?1, \(foldedMinute), value, 0 FROM meta
            WHERE key = 'generation_floor' AND value > 0
        """
    /// Before the first minute that a time can have.
    package static let firstMinute = Int64.min / 60_000 - 1

    static let minutesPerDay: Int64 = 1440

    /// The day since 1970 that a minute lies in.
    static func day(ofMinute minute: Int64) -> Int64 {
        minute / minutesPerDay - (minute % minutesPerDay < 0 ? 1 : 0)
    }

    /// The minute that `time`, in milliseconds since 1970, lies in.
    package static func minute(of time: Int64) -> Int64 {
        time / 60_000 - (time % 60_000 < 0 ? 1 : 0)
    }

    /// The sum of counts over `types` and the minutes that `[from, to)` touches, as `state`.
    package static func sum(
        _ connection: Connection, types: [String], from: Int64?, to: Int64?
    ) throws(SQLiteError) -> Int64 {
        try state(connection, types: types, from: from, to: to).count
    }

    /// The sums over `types` (all, if empty) and the minutes that `[from, to)` touches.
    ///
    /// Read it in the same `withReader` as the rows, which is one snapshot.
    /// - Parameters: `from`, `to`: milliseconds since 1970; nil is without end.
    package static func state(
        _ connection: Connection, types: [String], from: Int64?, to: Int64?
    ) throws(SQLiteError) -> GenerationState {
        var state = GenerationState()
        if try !areSetHashesKnown(connection) { state.setHash = nil }
        let first = from.map(minute) ?? firstMinute
        let last = to.map { minute(of: $0 &- 1) } ?? Int64.max
        guard first <= last, to != Int64.min else { return state }
        let horizon =
            try connection.integer("SELECT value FROM meta WHERE key = 'generation_horizon'")
            ?? firstMinute
        let ids = try typeIDs(connection, types)
        for type in ids { try add(type, first, last, to: &state, connection) }
        guard first > foldedMinute, first < horizon else { return state }
        // With an OR in the statement SQLite would read all minutes of the type.
        for type in types.isEmpty ? ids + [retiredType] : ids {
            try add(type, foldedMinute...foldedMinute, minutes, to: &state, connection)
        }
        state.count &+= try floor(connection, types, found: ids.count)
        return state
    }

    /// What those of `types` count for that are not there.
    static func floor(
        _ connection: Connection, _ types: [String], found: Int
    ) throws(SQLiteError) -> Int64 {
        let missing = Set(types.map { ExactText($0) }).count - found
        guard missing > 0 else { return 0 }
        let floor = try connection.integer(
            "SELECT value FROM meta WHERE key = 'generation_floor'")
        return Int64(missing) &* (floor ?? 0)
    }

    /// Adds the sums of a type over the minutes from `first` to `last`.
    private static func add(
        _ type: Int64, _ first: Int64, _ last: Int64, to state: inout GenerationState,
        _ connection: Connection
    ) throws(SQLiteError) {
        let firstDay = day(ofMinute: first &+ minutesPerDay &- 1)
        let endDay = last == .max ? day(ofMinute: last) : day(ofMinute: last &+ 1)
        guard firstDay < endDay else {
            return try add(type, first...last, minutes, to: &state, connection)
        }
        let start = firstDay * minutesPerDay
        if first < start { try add(type, first...(start - 1), minutes, to: &state, connection) }
        try add(type, firstDay...(endDay - 1), days, to: &state, connection)
        let end = endDay * minutesPerDay
        if end <= last { try add(type, end...last, minutes, to: &state, connection) }
    }

    private static let minutes =
        "SELECT count, set_hash FROM generations WHERE type_id = ?1 AND minute BETWEEN ?2 AND ?3"
    private static let days =
        "SELECT count, set_hash FROM generation_days WHERE type_id = ?1 AND day BETWEEN ?2 AND ?3"

    /// Both sums wrap, which SQL's do not.
    private static func add(
        _ type: Int64, _ places: ClosedRange<Int64>, _ sql: String,
        to state: inout GenerationState, _ connection: Connection
    ) throws(SQLiteError) {
        let statement = try connection.cached(sql)
        defer { statement.reset() }
        statement.bind(1, type)
        statement.bind(2, places.lowerBound)
        statement.bind(3, places.upperBound)
        var hash: UInt64 = 0
        while try statement.step() {
            state.count &+= statement.integer(0)
            hash &+= UInt64(bitPattern: statement.integer(1))
        }
        state.setHash = state.setHash.map { $0 &+ hash }
    }

    private static func areSetHashesKnown(_ connection: Connection) throws(SQLiteError) -> Bool {
        let select = try connection.cached("SELECT value FROM meta WHERE key = ?1")
        defer { select.reset() }
        func number(_ name: String) throws(SQLiteError) -> Int64 {
            select.bind(1, name)
            defer { select.rewind() }
            return try select.step() ? select.integer(0) : 0
        }
        return try number("set_hash_filled") >= number("set_hash_end")
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
