import Primitives
import SQLite

extension EventStore {
    /// How far apart in time two nodes store the same events, as far as a resumption minds it.
    private static let overlapMilliseconds: Int64 = 5000
    /// Rows that a resumption from another store may go back; a reader takes some milliseconds to
    /// look at so many.
    private static let overlapRows: Int64 = 10_000
    /// Events of one millisecond among which one is looked for.
    private static let sameTimeRows: Int64 = 10_000

    /// The place after the event `seq` of this store, or after no event in particular.
    package func place(after seq: Int64, event: StoredEvent? = nil) -> TailPlace {
        TailPlace(
            store: identity, seq: seq,
            event: event.map {
                TailPlace.EventMark(time: $0.time, source: $0.source, id: $0.id)
            })
    }

    /// Where a tail goes on that ended at `place`. Any thread that may block.
    ///
    /// Two nodes store the same events in orders that differ by the time which events take from one
    /// to the other. So in another store a tail goes back from the event of the place to the first
    /// row, of the 10,000 before it, whose time is less than five seconds before the event's: what
    /// the other node sent comes again rather than that something is missing.
    package func resume(
        after place: TailPlace, deadline: Deadline
    ) throws(StorageError) -> TailStart {
        try readers.withReader(until: deadline) { (connection) throws(SQLiteError) in
            let last = status.lastSeq
            if place.store == identity, place.seq <= last, try isHere(place, connection) {
                return TailStart(kind: .same, seq: place.seq, overlap: 0)
            }
            guard let event = place.event else {
                return TailStart(kind: .lost, seq: last, overlap: 0)
            }
            let found = try seq(of: event, connection)
            let start = try EventStore.overlapStart(
                before: found ?? last, isFound: found != nil, time: event.time, connection)
            return TailStart(
                kind: found == nil ? .lost : .found, seq: start, overlap: (found ?? last) - start)
        }
    }

    /// Whether the row of the place still has its event. A store that was brought back from a copy
    /// has the identity of the one it is a copy of, and perhaps other events under its numbers.
    private func isHere(_ place: TailPlace, _ connection: Connection) throws(SQLiteError) -> Bool {
        guard let event = place.event else { return true }
        let select = try connection.cached(EventStore.markBySeq)
        defer { select.reset() }
        select.bind(1, place.seq)
        // Retention may have deleted it; its number is not used again.
        guard try select.step() else { return true }
        return try EventStore.mark(select, EventNames(connection)) == event
    }

    private func seq(
        of event: TailPlace.EventMark, _ connection: Connection
    ) throws(SQLiteError) -> Int64? {
        let names = EventNames(connection)
        let select = try connection.cached(EventStore.marksByTime)
        defer { select.reset() }
        select.bind(1, event.time)
        select.bind(2, EventStore.sameTimeRows)
        while try select.step() {
            if try EventStore.mark(select, names) == event { return select.integer(0) }
        }
        return nil
    }

    /// - Parameter isFound: the row `seq` is the event of the place, which was sent.
    private static func overlapStart(
        before seq: Int64, isFound: Bool, time: Int64, _ connection: Connection
    ) throws(SQLiteError) -> Int64 {
        let select = try connection.cached(
            "SELECT seq, time FROM event_rows WHERE seq <= ?1 ORDER BY seq DESC LIMIT ?2")
        defer { select.reset() }
        select.bind(1, seq)
        select.bind(2, overlapRows)
        var start = seq
        while try select.step() {
            if isFound, select.integer(0) == seq { continue }
            if select.integer(1) > time - overlapMilliseconds { start = select.integer(0) - 1 }
        }
        return start
    }

    private static let markColumns = "seq, time, source_id, key, id"
    private static let markBySeq = "SELECT \(markColumns) FROM event_rows WHERE seq = ?1"
    private static let marksByTime = """
        SELECT \(markColumns) FROM event_rows WHERE time = ?1 ORDER BY seq DESC LIMIT ?2
        """

    private static func mark(
        _ row: Statement, _ names: EventNames
    ) throws(SQLiteError) -> TailPlace.EventMark {
        TailPlace.EventMark(
            time: row.integer(1), source: try names.source(row.integer(2)),
            id: row.textOrNil(4) ?? StoredEvent.uuid(row.key(3)))
    }
}
