/// Ids of a day's rows: in the order of time, so that the newest rows are the highest ids.
///
/// The millisecond of the day stands above a slot of 12 bits. More than 4,096 records of one
/// millisecond run on into the slots of the next, which changes their order by as much.
enum LogRowID {
    static let slotBits = 12
    /// How far records of one millisecond may run on: 40 million of them.
    static let slackMilliseconds: Int64 = 10_000

    /// The first id of a millisecond of the day.
    static func first(_ millisecond: Int64) -> Int64 { millisecond << slotBits }

    /// The first id of the millisecond after that of `id`.
    static func afterMillisecond(of id: Int64) -> Int64 { (id >> slotBits + 1) << slotBits }
}

/// Gives ids to the records of a batch, which must come in the order of time.
struct LogRowIDs {
    /// The highest id of the file.
    private(set) var highest: Int64
    private var next: Int64 = 0
    /// No row has an id from `next` up to this.
    private var freeUntil: Int64 = 0

    init(highest: Int64) { self.highest = highest }

    /// Begins a new batch.
    mutating func rewind() {
        next = 0
        freeUntil = 0
    }

    /// - Parameters:
    ///   - millisecond: of the day; not below that of the record before.
    ///   - firstUsed: the lowest id at or above one that is in use, if any.
    ///   - lastUsed: the highest id below one that is in use.
    mutating func id<Failure: Error>(
        _ millisecond: Int64, firstUsed: (Int64) throws(Failure) -> Int64?,
        lastUsed: (Int64) throws(Failure) -> Int64?
    ) throws(Failure) -> Int64 {
        var candidate = max(next, LogRowID.first(millisecond))
        while candidate <= highest, candidate >= freeUntil {
            guard let used = try firstUsed(candidate) else { break }
            if used > candidate {
                freeUntil = used
                break
            }
            // Behind the last one of its millisecond, or in the next if that is full.
            candidate = (try lastUsed(LogRowID.afterMillisecond(of: candidate)) ?? candidate) + 1
        }
        next = candidate + 1
        highest = max(highest, candidate)
        return candidate
    }
}
