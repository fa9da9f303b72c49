import SQLite

/// What is added to one generation.
struct GenerationChange: Equatable {
    var changes: Int64 = 0
    /// Of `IdentityHash`: of a row that goes, its negative.
    var hash: UInt64 = 0

    mutating func add(_ other: GenerationChange) {
        changes += other.changes
        hash &+= other.hash
    }

    /// Adds to 64 bits with wrapping: SQLite's own addition turns into a real where it overflows, so
    /// the halves are added apart.
    private static func upsert(_ table: String, _ place: String) -> String {
        """
        INSERT INTO \(table)(type_id, \(place), count, set_hash) VALUES(?1, ?2, ?3, ?4)
        ON CONFLICT(type_id, \(place)) DO UPDATE SET count = count + excluded.count, set_hash =
            ((set_hash >> 32) + (excluded.set_hash >> 32)
                + ((set_hash & 4294967295) + (excluded.set_hash & 4294967295) >> 32) << 32)
            | ((set_hash & 4294967295) + (excluded.set_hash & 4294967295) & 4294967295)
        """
    }

    private static let minutes = upsert("generations", "minute")
    private static let days = upsert("generation_days", "day")

    /// Of a minute alone.
    func write(_ connection: Connection, type: Int64, minute: Int64) throws(SQLiteError) {
        try write(connection, GenerationChange.minutes, type, minute)
    }

    func write(_ connection: Connection, type: Int64, day: Int64) throws(SQLiteError) {
        try write(connection, GenerationChange.days, type, day)
    }

    private func write(
        _ connection: Connection, _ sql: String, _ type: Int64, _ place: Int64
    ) throws(SQLiteError) {
        let upsert = try connection.cached(sql)
        upsert.bind(1, type)
        upsert.bind(2, place)
        upsert.bind(3, changes)
        upsert.bind(4, Int64(bitPattern: hash))
        try upsert.run()
    }
}

/// The changes of one transaction, added up before they are written: one upsert a touched minute
/// and one a touched day of each type.
struct GenerationTally {
    private struct Pair: Hashable {
        var type: Int64
        /// Or a day.
        var minute: Int64
    }

    private var sums: [Pair: GenerationChange] = [:]
    /// The pair counted last, kept out of the dictionary: neighbours mostly share it.
    private var current = Pair(type: 0, minute: 0)
    private var currentSum = GenerationChange()

    /// - Parameters:
    ///   - time: of the event, in milliseconds since 1970.
    ///   - changes: 1 for a row that comes or goes.
    ///   - hash: added with wrapping.
    mutating func add(type: Int64, time: Int64, changes: Int64, hash: UInt64) {
        let minute = Generations.minute(of: time)
        if current.minute != minute || current.type != type {
            settle()
            current = Pair(type: type, minute: minute)
        }
        currentSum.changes += changes
        currentSum.hash &+= hash
    }

    mutating func removeAll() {
        sums.removeAll(keepingCapacity: sums.capacity < 4096)
        currentSum = GenerationChange()
    }

    /// Writes the sums and starts anew.
    mutating func write(_ connection: Connection) throws(SQLiteError) {
        settle()
        var days: [Pair: GenerationChange] = [:]
        for (pair, sum) in sums {
            try sum.write(connection, type: pair.type, minute: pair.minute)
            let day = Pair(type: pair.type, minute: Generations.day(ofMinute: pair.minute))
            days[day, default: GenerationChange()].add(sum)
        }
        for (day, sum) in days {
            try sum.write(connection, type: day.type, day: day.minute)
        }
        removeAll()
    }

    private mutating func settle() {
        guard currentSum != GenerationChange() else { return }
        sums[current, default: GenerationChange()].add(currentSum)
        currentSum = GenerationChange()
    }
}
