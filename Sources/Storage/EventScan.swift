import Primitives
import SQLite

/// Collects one page of events, newest first: by time, then by the order of storing.
///
/// DESIGN. The index `event_time` gives the order. Without types it is read backwards from where
/// the last page ended. With types, `generations` says which minutes have any of them, and only
/// those minutes are read: a rare type among millions costs a few seeks. Sources and subjects have
/// no index; rows are read and compared, and only so many for one page: the page then ends early
/// and its cursor says how far it has looked. Events of the same millisecond are sorted, as the
/// index has them by type.
struct EventScan {
    /// Index entries looked at for one page: some tens of milliseconds.
    static let examinedLimit = 100_000
    /// Data and extensions after which a page ends early: events may have 256 KiB each.
    static let pageBytes = 8 << 20
    /// Types asked for at once: the greatest number of parameters in `candidates`.
    static let typeLimit = 32

    private let connection: Connection
    private let names: EventNames
    private let limit: Int
    private let types: [Int64]?
    private let sources: Set<Int64>?
    private let subjects: Set<[UInt8]>
    private let lowest: Int64
    /// Where to go on: everything at or above it has been looked at.
    private var below: EventCursor
    private var examined = 0
    private var page = EventPage()
    private var bytes = 0

    init(
        _ connection: Connection, _ filter: EventFilter, before cursor: EventCursor?, limit: Int
    ) throws(SQLiteError) {
        self.connection = connection
        self.limit = limit
        names = EventNames(connection)
        types =
            filter.types.isEmpty ? nil : try Generations.typeIDs(connection, filter.types)
        sources =
            filter.sources.isEmpty
            ? nil : Set(try Generations.ids(connection, table: "event_sources", filter.sources))
        subjects = Set(filter.subjects.map { Array($0.utf8) })
        lowest = max(filter.from ?? Timestamp.range.lowerBound, Timestamp.range.lowerBound)
        let highest = min(
            filter.to.map { $0 == .min ? $0 : $0 - 1 } ?? .max, Timestamp.range.upperBound)
        let end = EventCursor(time: highest, seq: .max)
        below = cursor.map { $0.time > highest ? end : $0 } ?? end
    }

    mutating func run() throws(SQLiteError) -> EventPage {
        if types?.isEmpty == true || sources?.isEmpty == true { return page }
        if let types { try scanMinutes(types) } else { try scan(from: lowest, types: []) }
        return page
    }

    /// Looks at the minutes that have one of `types`, the newest first.
    private mutating func scanMinutes(_ types: [Int64]) throws(SQLiteError) {
        while !isFull, below.time >= lowest,
            let minute = try newestMinute(types, atMost: Generations.minute(of: below.time))
        {
            examined += types.count
            let start = minute * 60_000
            // What lies above the minute holds none of the types.
            if below.time >= start + 60_000 {
                below = EventCursor(time: start + 59_999, seq: .max)
            }
            try scan(from: max(start, lowest), types: types)
            if page.next == nil { below = EventCursor(time: start - 1, seq: .max) }
        }
        if examined >= EventScan.examinedLimit, page.next == nil, below.time >= lowest {
            page.next = EventCursor(time: below.time, seq: below.seq)
        }
    }

    private var isFull: Bool { page.next != nil || examined >= EventScan.examinedLimit }

    private func newestMinute(
        _ types: [Int64], atMost minute: Int64
    ) throws(SQLiteError) -> Int64? {
        let statement = try connection.cached(EventScan.newestMinute)
        defer { statement.reset() }
        var newest: Int64?
        for type in types {
            statement.bind(1, type)
            statement.bind(2, max(newest ?? .min, Generations.minute(of: lowest)))
            statement.bind(3, minute)
            if try statement.step(), !statement.isNull(0) { newest = statement.integer(0) }
            statement.rewind()
        }
        return newest
    }

    /// Looks at the rows from `below` down to the time `first`.
    private mutating func scan(from first: Int64, types: [Int64]) throws(SQLiteError) {
        let candidates = try connection.cached(EventScan.candidates(types: types.count))
        defer { candidates.reset() }
        let budget = max(EventScan.examinedLimit - examined, 1)
        let isFiltered = sources != nil || !subjects.isEmpty
        candidates.bind(1, first)
        candidates.bind(2, below.time)
        candidates.bind(3, below.seq)
        candidates.bind(4, Int64(isFiltered ? budget : min(limit - page.events.count + 1, budget)))
        bind(types, to: candidates)
        var seen = 0
        while try candidates.step() {
            let row = EventCursor(time: candidates.integer(1), seq: candidates.integer(0))
            guard try take(row) else { return }
            below = row
            seen += 1
        }
        examined += seen
        // Only the budget can have ended it: for a full page, `take` has the last word.
        if seen >= budget { page.next = below }
    }

    private func bind(_ types: [Int64], to candidates: Statement) {
        for index in 0..<EventScan.slots(types.count) {
            candidates.bind(5 + index, types[min(index, types.count - 1)])
        }
    }

    /// Adds the event at `row` if it is one of those asked for.
    /// - Returns: false if the page was full already: it ends with the event before.
    private mutating func take(_ row: EventCursor) throws(SQLiteError) -> Bool {
        let statement = try connection.cached(EventScan.row)
        defer { statement.reset() }
        statement.bind(1, row.seq)
        guard try statement.step(), matches(statement) else { return true }
        guard page.events.count < limit, bytes < EventScan.pageBytes else {
            page.next = page.events.last.map { EventCursor(time: $0.time, seq: $0.seq) }
            return false
        }
        let event = try StoredEvent(statement, names: names)
        bytes += (event.data?.count ?? 0) + (event.extensions?.count ?? 0)
        page.events.append(event)
        return true
    }

    private func matches(_ row: Statement) -> Bool {
        if let sources, !sources.contains(row.integer(3)) { return false }
        if subjects.isEmpty { return true }
        return !row.isNull(6) && subjects.contains(Array(row.bytes(6)))
    }
}

/// The SQL of a scan; tests look at its plans.
extension EventScan {
    static let newestMinute = """
        SELECT max(minute) FROM generations
        WHERE type_id = ?1 AND minute >= ?2 AND minute <= ?3
        """

    static let row = "SELECT \(StoredEvent.columns) FROM event_rows WHERE seq = ?1"

    /// Index entries of `[?1, ?2]` that come behind the cursor (?2, ?3), newest first.
    static func candidates(types: Int) -> String {
        let parameters = (0..<slots(types)).map { "?\($0 + 5)" }.joined(separator: ", ")
        let condition = types == 0 ? "" : "AND type_id IN (\(parameters))"
        return """
            SELECT seq, time FROM event_rows INDEXED BY event_time
            WHERE time >= ?1 AND time <= ?2 AND (time < ?2 OR seq < ?3) \(condition)
            ORDER BY time DESC, seq DESC LIMIT ?4
            """
    }

    /// Parameters for `types` types: powers of two, so that few statements are ever prepared.
    static func slots(_ types: Int) -> Int {
        var slots = 1
        while slots < types { slots *= 2 }
        return types == 0 ? 0 : slots
    }
}
