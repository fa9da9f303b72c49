import Primitives
import SQLite

extension EventStore {
    /// Types that may be asked for at once.
    package static let typeLimit = EventScan.typeLimit
    /// Rows looked at for one call of `events(after:)`.
    private static let tailExaminedLimit: Int64 = 10_000

    /// Stored events, newest first. Any thread that may block.
    ///
    /// Costs a few seeks and what is returned, for a rare type or a narrow time too; sources and
    /// subjects are looked for in a bounded number of rows, see `EventPage.next`.
    /// - Parameters:
    ///   - cursor: `next` of the page before. If another store gave it out, all events of its
    ///     millisecond come again.
    ///   - limit: 1 or more.
    /// - Throws: `busy`, `deadline`, `closed`, `corrupt`, `inputOutput`.
    package func events(
        _ filter: EventFilter, before cursor: EventCursor? = nil, limit: Int, deadline: Deadline
    ) throws(StorageError) -> EventPage {
        precondition(limit > 0 && filter.types.count <= EventStore.typeLimit)
        return try readers.withReader(until: deadline) { (connection) throws(SQLiteError) in
            let start = cursor.map { $0.store == identity ? $0 : $0.elsewhere }
            var scan = try EventScan(connection, filter, before: start, limit: limit)
            var page = try scan.run()
            page.next?.store = identity
            return page
        }
    }

    /// Whether `cursor` is one of this store's.
    package func gaveOut(_ cursor: EventCursor) -> Bool { cursor.store == identity }

    /// Events stored after `seq`, in the order of storing: what a tail sends on. Any thread that
    /// may block. Looks at 10,000 rows at most; `lastSeq` says how far it came.
    /// - Parameters:
    ///   - types: any of these; all, if empty.
    ///   - maxBytes: no more follow the event with which data and extensions reach this size.
    package func events(
        after seq: Int64, types: [String] = [], limit: Int, maxBytes: Int = .max,
        deadline: Deadline
    ) throws(StorageError) -> EventTail {
        try readers.withReader(until: deadline) { (connection) throws(SQLiteError) in
            let wanted = types.isEmpty ? nil : Set(try Generations.typeIDs(connection, types))
            let names = EventNames(connection)
            let select = try connection.cached(
                """
                SELECT \(StoredEvent.columns) FROM event_rows WHERE seq > ?1
                ORDER BY seq LIMIT ?2
                """)
            defer { select.reset() }
            select.bind(1, seq)
            select.bind(2, EventStore.tailExaminedLimit)
            var tail = EventTail(lastSeq: seq, hasMore: false)
            var examined: Int64 = 0
            var bytes = 0
            while try select.step() {
                if tail.events.count == limit || bytes >= maxBytes {
                    tail.hasMore = true
                    return tail
                }
                tail.lastSeq = select.integer(0)
                examined += 1
                if let wanted, !wanted.contains(select.integer(2)) { continue }
                let event = try StoredEvent(select, names: names)
                bytes += (event.data?.count ?? 0) + (event.extensions?.count ?? 0)
                tail.events.append(event)
            }
            tail.hasMore = examined == EventStore.tailExaminedLimit
            return tail
        }
    }
}
