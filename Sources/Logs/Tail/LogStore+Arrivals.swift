import Primitives
import SQLite
import Storage

extension LogStore {
    /// How much later than others of its time a record may come and still be found by a tail that
    /// comes back.
    private static let latenessMilliseconds: Int64 = 3_600_000

    /// The records that came after `place` and before the number `end`, in the order in which they
    /// came, of which `filter` wants some. Blocks: for a worker or the tail's thread.
    package func arrivals(
        after place: LogPlace, before end: Int64, _ filter: LogFilter, deadline: Deadline
    ) throws(StorageError) -> [LogMessage] {
        var wanted = filter
        wanted.from = max(0, place.time - LogStore.latenessMilliseconds)
        wanted.to = nil
        var messages: [LogMessage] = []
        try eachDay(wanted, isFresh: false, deadline: deadline) {
            (connection, day) throws(SQLiteError) in
            let query = LogRowQuery(wanted, day: day, arrivals: place.arrival + 1..<end)
            let statement = try connection.prepare(
                "SELECT \(LogRowQuery.columns) \(query.source)")
            statement.bind(query.values)
            while try statement.step() {
                let record = LogRowQuery.record(statement)
                var json = ByteBuffer(capacity: 512)
                json.append(json: record, id: LogCursor(day: day, id: statement.integer(0)))
                let place = LogPlace(
                    arrival: statement.integer(3), time: max(0, record.time) / 1_000_000)
                messages.append(LogMessage(place: place, json: json.freeze()))
            }
            return true
        }
        return messages.sorted { $0.place.arrival < $1.place.arrival }
    }
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
