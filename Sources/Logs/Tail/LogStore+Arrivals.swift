import Primitives
import SQLite
import Storage

extension LogStore {
    /// How much later than others of its time a record may come and still be found by a tail that
    /// comes back.
    private static let latenessMilliseconds: Int64 = 3_600_000

    /// Where the records are that came after `place` and before the number `end` and that `filter`
    /// wants, in the order in which they came. Blocks: for a worker or the tail's thread.
    package func arrivals(
        after place: LogPlace, before end: Int64, _ filter: LogFilter, deadline: Deadline
    ) throws(StorageError) -> [LogArrival] {
        guard place.arrival < end - 1 else { return [] }
        var wanted = filter
        wanted.from = max(0, place.time - LogStore.latenessMilliseconds)
        wanted.to = nil
        var found: [LogArrival] = []
        try eachDay(wanted, isFresh: false, deadline: deadline) {
            (connection, day) throws(SQLiteError) in
            let query = LogRowQuery(wanted, day: day, arrivals: place.arrival + 1..<end)
            let statement = try connection.prepare("SELECT r.id, r.time, r.arrival \(query.source)")
            statement.bind(query.values)
            while try statement.step() {
                let place = LogPlace(
                    arrival: statement.integer(2), time: max(0, statement.integer(1)) / 1_000_000)
                found.append(LogArrival(place: place, day: day, id: statement.integer(0)))
            }
            return true
        }
        return found.sorted { $0.place.arrival < $1.place.arrival }
    }

    /// The records that are at `arrivals`, in the same order; those that have gone since are left out.
    /// Blocks as `arrivals` does.
    package func messages(
        at arrivals: [LogArrival], deadline: Deadline
    ) throws(StorageError) -> [LogMessage] {
        guard let first = arrivals.map(\.day).min(), let last = arrivals.map(\.day).max() else {
            return []
        }
        var days = LogFilter()
        days.from = first.start
        days.to = last.end
        var messages: [LogMessage] = []
        try eachDay(days, isFresh: false, deadline: deadline) {
            (connection, day) throws(SQLiteError) in
            let statement = try connection.prepare(
                "SELECT \(LogRowQuery.columns) FROM records AS r WHERE r.id = ?")
            for arrival in arrivals where arrival.day == day {
                statement.bind([.integer(arrival.id)])
                if try statement.step(), statement.integer(3) == arrival.place.arrival {
                    var json = ByteBuffer(capacity: 512)
                    json.append(
                        json: LogRowQuery.record(statement),
                        id: LogCursor(day: day, id: arrival.id))
                    messages.append(LogMessage(place: arrival.place, json: json.freeze()))
                }
                statement.reset()
            }
            return true
        }
        return messages.sorted { $0.place.arrival < $1.place.arrival }
    }
}

/// Where a record is that a tail has missed.
package struct LogArrival: Sendable {
    package let place: LogPlace
    let day: LogDay
    let id: Int64
}

extension LogCommit {
    /// The records from the number `first` on that `matcher` wants.
    /// - Parameter send: is false once no more is wanted.
    /// - Returns: the number after the last record that was looked at.
    package func each(
        from first: Int64, _ matcher: LogMatcher, _ send: (LogMessage) -> Bool
    ) -> Int64 {
        var arrival = firstArrival
        for batch in batches {
            var records = batch.records
            while let record = records.next() {
                defer { arrival += 1 }
                let row = rows[Int(arrival - firstArrival)]
                guard arrival >= first, row >= 0, matcher.matches(record) else { continue }
                let time = max(0, record.time) / 1_000_000
                var json = ByteBuffer(capacity: 512)
                json.append(
                    json: record, id: LogCursor(day: LogDay(milliseconds: time), id: row))
                let place = LogPlace(arrival: arrival, time: time)
                guard send(LogMessage(place: place, json: json.freeze())) else { return arrival }
            }
        }
        return arrival
    }
}
