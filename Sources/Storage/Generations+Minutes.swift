import SQLite

extension Generations {
    /// The generations of one minute, over some types.
    package struct Minute: Sendable {
        package var minute: Int64
        package var count: Int64
        package var setHash: UInt64
    }

    /// The minutes with events of `types` (of all, if empty) that `[from, to)` touches, ascending.
    ///
    /// Below the horizon minutes may be folded. Their events are gone, and there each minute that is
    /// left has the folded counts added, so that folding is a change.
    package static func minutes(
        _ connection: Connection, types: [String], from: Int64, to: Int64
    ) throws(SQLiteError) -> [Minute] {
        let horizon =
            try connection.integer("SELECT value FROM meta WHERE key = 'generation_horizon'")
            ?? firstMinute
        let statement = try connection.cached(
            """
            SELECT minute, count, set_hash FROM generations
            WHERE type_id = ?1 AND minute BETWEEN ?2 AND ?3 ORDER BY minute
            """)
        defer { statement.reset() }
        var minutes: [Minute] = []
        var folded: Int64 = 0
        let (first, last) = (minute(of: from), minute(of: to &- 1))
        func read(
            _ type: Int64, _ range: ClosedRange<Int64>, _ take: (Minute) -> Void
        ) throws(SQLiteError) {
            statement.bind(1, type)
            statement.bind(2, range.lowerBound)
            statement.bind(3, range.upperBound)
            while try statement.step() {
                take(
                    Minute(
                        minute: statement.integer(0), count: statement.integer(1),
                        setHash: UInt64(bitPattern: statement.integer(2))))
            }
            statement.rewind()
        }
        guard first <= last else { return [] }
        let ids = try typeIDs(connection, types)
        for type in ids { try read(type, first...last) { minutes.append($0) } }
        if first < horizon {
            for type in types.isEmpty ? ids + [retiredType] : ids {
                try read(type, foldedMinute...foldedMinute) { folded &+= $0.count }
            }
            folded &+= try floor(connection, types, found: ids.count)
        }
        if ids.count > 1 { minutes = merged(minutes) }
        for index in minutes.indices where minutes[index].minute < horizon {
            minutes[index].count &+= folded
        }
        return minutes
    }

    /// Adds up what has the same minute.
    private static func merged(_ minutes: [Minute]) -> [Minute] {
        var result: [Minute] = []
        for minute in minutes.sorted(by: { $0.minute < $1.minute }) {
            if result.last?.minute == minute.minute {
                result[result.count - 1].count &+= minute.count
                result[result.count - 1].setHash &+= minute.setHash
            } else {
                result.append(minute)
            }
        }
        return result
    }
}
